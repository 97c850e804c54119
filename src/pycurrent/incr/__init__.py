"""Change propagation: nodes that are kept up to date, usable alone.

Synchronous, standard library only. `Graph` holds the nodes and brings them up to date.
"""

from pycurrent.incr.each import Duplicate, Each, Item, Unhashable
from pycurrent.incr.gather import Gather, GatherTree
from pycurrent.incr.graph import FANOUT, Graph
from pycurrent.incr.heights import GAP, Cycle
from pycurrent.incr.node import SCALARS, UNSET, Absent, Dynamic, Eq, Node, Observer, unchanged
from pycurrent.incr.nodes import Bind, Const, Input, Map1, MapN, Switch, combine
from pycurrent.incr.rope import Rope, plain
from pycurrent.incr.scope import Scope

__all__ = [
    "FANOUT",
    "GAP",
    "SCALARS",
    "UNSET",
    "Absent",
    "Bind",
    "Const",
    "Cycle",
    "Duplicate",
    "Dynamic",
    "Each",
    "Eq",
    "Gather",
    "GatherTree",
    "Graph",
    "Input",
    "Item",
    "Map1",
    "MapN",
    "Node",
    "Observer",
    "Rope",
    "Scope",
    "Switch",
    "Unhashable",
    "combine",
    "plain",
    "unchanged",
]
