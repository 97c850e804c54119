"""Terms: outputs, currents and what can be made of them, and the diagram."""

from pycurrent.term.component import component
from pycurrent.term.context import context
from pycurrent.term.current import (
    Current,
    active,
    all,
    bind,
    collapse_list,
    constant,
    fail,
    from_output,
    map,
    metadata,
    option_seq,
    pair,
    seq,
)
from pycurrent.term.dot import dot_of
from pycurrent.term.draw import graph_of
from pycurrent.term.given import Stand, called, shown, unfit
from pycurrent.term.graph_data import (
    Edge,
    EdgeKind,
    FailedInside,
    Fold,
    Graph,
    GraphNode,
    Group,
    GroupKind,
    NodeKind,
)
from pycurrent.term.live import TermGraph, build_pipeline, evaluate
from pycurrent.term.output import (
    Active,
    Activity,
    Failed,
    Failure,
    FailureKind,
    Ok,
    Output,
    UsageFailure,
    failed_by,
)
from pycurrent.term.primitive import Fixed, Metadata, NoEngine, Primitive, Runtime, Subscription
from pycurrent.term.state import BY_CONCERN, State, Stats, state_of, state_of_activity
from pycurrent.term.unused import noting, told
from pycurrent.term.var import Var

__all__ = [
    "BY_CONCERN",
    "Active",
    "Activity",
    "Current",
    "Edge",
    "EdgeKind",
    "Failed",
    "FailedInside",
    "Failure",
    "FailureKind",
    "Fixed",
    "Fold",
    "Graph",
    "GraphNode",
    "Group",
    "GroupKind",
    "Metadata",
    "NoEngine",
    "NodeKind",
    "Ok",
    "Output",
    "Primitive",
    "Runtime",
    "Stand",
    "State",
    "Stats",
    "Subscription",
    "TermGraph",
    "UsageFailure",
    "Var",
    "active",
    "all",
    "bind",
    "build_pipeline",
    "called",
    "collapse_list",
    "component",
    "constant",
    "context",
    "dot_of",
    "evaluate",
    "fail",
    "failed_by",
    "from_output",
    "graph_of",
    "map",
    "metadata",
    "noting",
    "option_seq",
    "pair",
    "seq",
    "shown",
    "state_of",
    "state_of_activity",
    "told",
    "unfit",
]
