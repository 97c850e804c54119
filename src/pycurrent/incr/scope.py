"""What was made while another node was computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurrent.incr.node import Node


class Scope:
    """The nodes that a dynamic node (a bind, an item of a list) made for one of its inputs.

    They must be higher than the `owner`: when its input and theirs change in the same step,
    it has to undo them before a function that was made for the old input is called with new
    values. Only the `roots` are kept, those that use no other node of the scope; the rest is
    higher than them anyway.
    """

    __slots__ = ("owner", "roots")

    def __init__(self, owner: Node) -> None:
        self.owner = owner
        self.roots: list[Node] = []
