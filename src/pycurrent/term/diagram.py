"""The diagram of a pipeline: as data, as Graphviz text, and as a picture that is kept.

Apart from the rest of `term`, as a run that nobody looks at does not need it.
"""

from pycurrent.term.closed import Closing
from pycurrent.term.dot import dot_of
from pycurrent.term.draw import Unfold, graph_of, job_page, picture_of
from pycurrent.term.graph_data import (
    Edge,
    EdgeKind,
    FailedInside,
    Fold,
    Graph,
    GraphNode,
    Group,
    GroupKind,
    Inside,
    NodeKind,
)
from pycurrent.term.picture import BoxChange, Picture

__all__ = [
    "BoxChange",
    "Closing",
    "Edge",
    "EdgeKind",
    "FailedInside",
    "Fold",
    "Graph",
    "GraphNode",
    "Group",
    "GroupKind",
    "Inside",
    "NodeKind",
    "Picture",
    "Unfold",
    "dot_of",
    "graph_of",
    "job_page",
    "picture_of",
]
