"""Change propagation: nodes that are kept up to date, usable alone.

Synchronous, standard library only. `NodeGraph` holds the nodes and brings them up to date.
"""

from pycurrent.incr.errors import Cycle, Duplicate, Unhashable
from pycurrent.incr.for_each import ForEach, Item
from pycurrent.incr.gather import Gather, GatherTree
from pycurrent.incr.graph import FANOUT, NodeGraph
from pycurrent.incr.heights import GAP
from pycurrent.incr.node import (
    SCALARS,
    UNSET,
    Absent,
    DynamicNode,
    Eq,
    LazyList,
    Node,
    Observer,
    materialize,
    unchanged,
)
from pycurrent.incr.nodes import BindDecision, BindResult, Const, Map1, MapN, Source, combine
from pycurrent.incr.scope import Scope
from pycurrent.incr.slices import Budget, Parts, in_one_go

__all__ = [
    "FANOUT",
    "GAP",
    "SCALARS",
    "UNSET",
    "Absent",
    "BindDecision",
    "BindResult",
    "Budget",
    "Const",
    "Cycle",
    "Duplicate",
    "DynamicNode",
    "Eq",
    "ForEach",
    "Gather",
    "GatherTree",
    "Item",
    "LazyList",
    "Map1",
    "MapN",
    "Node",
    "NodeGraph",
    "Observer",
    "Parts",
    "Scope",
    "Source",
    "Unhashable",
    "combine",
    "in_one_go",
    "materialize",
    "unchanged",
]
