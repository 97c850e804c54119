"""The failure of several labelled inputs: which of them have failed, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pycurrent.incr import FANOUT, Absent, Gather, Node, combine
from pycurrent.term.output import Failed, FailureKind

if TYPE_CHECKING:
    from pycurrent.term.live import Live


class FailedTogether(Failed):
    """The failures of labelled inputs; put into words when somebody asks.

    `parts` are (label, failure) pairs, or the absences of this kind of the branches below.
    """

    __slots__ = ("parts",)
    parts: tuple[Any, ...]

    def __init__(self, parts: tuple[Any, ...]) -> None:
        super().__init__("")
        object.__setattr__(self, "parts", parts)

    @property
    def message(self) -> str:
        if not self._message:
            object.__setattr__(self, "_message", self._in_words())
        return self._message

    @property
    def kind(self) -> FailureKind:
        """That of all of them, if they agree; else it is a real failure."""
        kinds = {failure.kind for _, failure, _ in self._pairs()}
        return kinds.pop() if len(kinds) == 1 else FailureKind.REAL

    def _in_words(self) -> str:
        pairs = self._pairs()
        # Who lacks a value only because another of them failed has not failed.
        roots = {id(failure) for _, failure, own in pairs if own}
        told = [
            (label, failure.message)
            for label, failure, own in pairs
            if own or id(failure) not in roots
        ]
        labels = _listed([label for label, _ in told])
        reasons = {reason for _, reason in told}
        # Several reasons would not fit into a line: each is told where it arose.
        return f"{labels} failed" + (f": {reasons.pop()}" if len(reasons) == 1 else "")

    def _pairs(self) -> list[tuple[str, Failed, bool]]:
        """Each label with its failure, and whether that arose there."""
        pairs: list[tuple[str, Failed, bool]] = []
        stack: list[Any] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, FailedTogether):
                stack.extend(reversed(part.parts))
            else:
                pairs.append(part)
        return pairs


class LabelledGather(Gather):
    """A gathering that names what failed."""

    __slots__ = ("labels",)

    def __init__(self, children: list[Node], labels: list[str] | None, size: int) -> None:
        super().__init__(children, 0 if labels is not None else 1, size, collect=False)
        self.labels = labels

    def absence(self) -> Absent | None:
        absent = combine(self.children)
        if not isinstance(absent, Failed):
            return absent
        if self.labels is None:
            parts: tuple[Any, ...] = tuple(
                child.absent for child in self.children if isinstance(child.absent, Failed)
            )
        else:
            parts = tuple(
                (label, child.absent, all(i.absent is not child.absent for i in child.inputs()))
                for label, child in zip(self.labels, self.children, strict=True)
                if isinstance(child.absent, Failed)
            )
        mine = self.absent
        if isinstance(mine, FailedTogether) and _same(mine.parts, parts):
            return mine
        return FailedTogether(parts)


_LISTED = 120
"""Of many labels, how much is told before the reason."""


def _listed(labels: list[str]) -> str:
    """The labels, or the first of very many, so that the reason is not far behind them."""
    whole = ", ".join(labels)
    if len(whole) <= _LISTED:
        return whole
    count = max(whole[:_LISTED].count(", "), 1)
    return f"{', '.join(labels[:count])} and {len(labels) - count} more"


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether both are the same failures; the failures themselves are not compared."""
    return len(one) == len(other) and all(
        a is b or (type(a) is tuple and type(b) is tuple and a[::2] == b[::2] and a[1] is b[1])
        for a, b in zip(one, other, strict=True)
    )


def gathered(live: Live, members: list[Node], labels: Sequence[str]) -> list[Node]:
    """A tree of gatherings over the members, so that one that changes concerns few others: its
    root, or nothing where there are no members.
    """
    level: list[Node] = []
    for start in range(0, len(members), FANOUT):
        chunk = slice(start, start + FANOUT)
        leaf = LabelledGather(members[chunk], list(labels[chunk]), len(members[chunk]))
        live.add(leaf)
        level.append(leaf)
    while len(level) > 1:
        above: list[Node] = []
        for start in range(0, len(level), FANOUT):
            node = LabelledGather(level[start : start + FANOUT], None, 0)
            live.add(node)
            above.append(node)
        level = above
    return level
