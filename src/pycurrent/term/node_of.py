"""The nodes of terms that have one, and pass on in some way what their inputs have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from pycurrent.incr import MapN, Node
from pycurrent.term.account import Account
from pycurrent.term.component_nodes import ComponentNode, LabelsNode, MetadataNode
from pycurrent.term.failed_stages import FailedStagesNode
from pycurrent.term.latch import Latched
from pycurrent.term.nodes import (
    Caught,
    CutoffNode,
    ErrorMapped,
    Gated,
    Ignored,
    PassThrough,
    Reified,
)
from pycurrent.term.shape import (
    Catch,
    Collapse,
    Cutoff,
    FailedStagesOf,
    Folded,
    Gate,
    Ignore,
    Labelling,
    Latch,
    MapError,
    MapMany,
    MetadataOf,
    PassingOn,
    StateOf,
    Term,
)


def node_of(shape: PassingOn, nodes: Mapping[Term, Node], account: Account) -> Node:
    """Make the node of a shape, from those of its inputs."""
    match shape:
        case MapMany():
            return MapN(shape.fn, [nodes[source] for source in shape.sources], shape.eq)
        case Gate():
            return Gated(nodes[shape.source], nodes[shape.on])
        case Collapse() | Folded():
            return PassThrough(nodes[shape.source])
        case StateOf():
            return Reified(nodes[shape.source])
        case Catch():
            return Caught(nodes[shape.source])
        case MapError():
            return ErrorMapped(nodes[shape.source], shape.fn)
        case Cutoff():
            return CutoffNode(nodes[shape.source], shape.eq)
        case Latch():
            return Latched(nodes[shape.source], infra=shape.infra)
        case Ignore():
            return Ignored(nodes[shape.source])
        case MetadataOf() | FailedStagesOf():
            return _telling(shape, nodes[shape.source], account)
        case Labelling():
            return LabelsNode([nodes[s] for s in shape.sources], shape.names, shape.fixed)
        case _:
            assert_never(shape)


def _telling(shape: MetadataOf | FailedStagesOf, source: Node, account: Account) -> Node:
    if isinstance(shape, FailedStagesOf):
        return FailedStagesNode(source, account, shape.most)
    node = MetadataNode(source)
    if isinstance(source, ComponentNode | Latched):
        source.reports = (*source.reports, node)
    return node
