"""The common failure of several named inputs: it names the failed ones, and why they failed.

`all` of labelled currents and `list_map` use it: names are the labels, or the keys of items. An
input that a failed stage elsewhere blocks is named, too; the reason then begins with the path of
that stage.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pycurrent.incr import Absent, Gather, Node, combine
from pycurrent.term.account import Stage
from pycurrent.term.output import Failed, FailureKind, text_of
from pycurrent.term.state import State

_Part: TypeAlias = tuple[Any, Failed, bool, Node]
"""An input that has failed: its name, the failure, whether that arose there, and its node."""


class FailedTogether(Failed):
    """The failures of named inputs. The message is made when somebody reads it: it names the stages
    that block others as long as these live.

    `parts` are (name, failure, whether it arose there, node), or the absences of this kind of the
    branches below.
    """

    __slots__ = ("parts",)
    parts: tuple[Any, ...]

    def __init__(self, parts: tuple[Any, ...]) -> None:
        object.__setattr__(self, "_message", "")
        object.__setattr__(self, "parts", parts)

    @property
    def message(self) -> str:
        if not self._message:
            self.tell()
        return self._message

    def tell(self) -> None:
        """Make the message, while the stages live that it names."""
        object.__setattr__(self, "_message", self._in_words())

    @property
    def kind(self) -> FailureKind:
        """The kind of all of them if they agree, otherwise REAL."""
        kinds = {failure.kind for _, failure, *_ in self._failures()}
        return kinds.pop() if len(kinds) == 1 else FailureKind.REAL

    @property
    def traceback(self) -> str | None:  # type: ignore[override]
        """The first traceback that any of them has."""
        traces = (failure.traceback for _, failure, *_ in self._failures())
        return next(filter(None, traces), None)

    def _in_words(self) -> str:
        failures = self._failures()
        # An input that lacks a value only because another of them failed has not failed itself.
        blocking = [None if own else _blocking(why, node) for _, why, own, node in failures]
        roots = {id(f[1]) for f, stage in zip(failures, blocking, strict=True) if stage is None}
        told: list[tuple[Any, str]] = []
        known: dict[int, str] = {}
        for (name, failure, *_), stage in zip(failures, blocking, strict=True):
            if stage is None:
                told.append((name, failure.message))
            elif id(failure) not in roots:
                reason = known.get(id(failure))
                if reason is None:
                    reason = known[id(failure)] = f"{stage.stage} failed: {failure.message}"
                told.append((name, reason))
        names = _listed([_shown(name) for name, _ in told])
        reasons = {reason for _, reason in told}
        # Several reasons would not fit on a line; their own stages show them.
        return f"{names} failed" + (f": {reasons.pop()}" if len(reasons) == 1 else "")

    def _failures(self) -> list[_Part]:
        """Each name with its failure, whether that arose there, and its node; an input that stands
        twice is in it once.
        """
        failures: dict[tuple[int, int], _Part] = {}
        stack: list[Any] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, FailedTogether):
                stack.extend(reversed(part.parts))
            else:
                name, failure, *_ = part
                failures.setdefault((id(name), id(failure)), part)
        return list(failures.values())


class NamingGather(Gather):
    """A gathering that names the failed members. Its tree must have names."""

    __slots__ = ()

    def absence(self) -> Absent | None:
        absent = combine(self.children)
        if not isinstance(absent, Failed):
            return absent
        if self.names is None:
            parts: tuple[Any, ...] = tuple(
                child.absent for child in self.children if isinstance(child.absent, Failed)
            )
        else:
            parts = tuple(
                (name, child.absent, _arose_in(child), child)
                for name, child in zip(self.names, self.children, strict=True)
                if isinstance(child.absent, Failed)
            )
        mine = self.absent
        if isinstance(mine, FailedTogether) and _same(mine.parts, parts):
            return mine
        return FailedTogether(parts)


def _arose_in(node: Node) -> bool:
    return all(source.absent is not node.absent for source in node.inputs())


def _blocking(failure: Failed, node: Node) -> Stage | None:
    """The failed stage because of which a stage is blocked that an input comes from; None if none
    is: an input that only applies functions to the result of a stage has failed with it.
    """
    is_blocked = False
    here: Node | None = node
    while here is not None:
        if isinstance(here, Stage):
            if here.state is State.FAILED:
                return here if is_blocked and here.is_alive else None
            is_blocked = True
        here = next((source for source in here.inputs() if source.absent is failure), None)
    return None


_LONG = 120
"""The characters that names take at most before the reason, and a key that is not a text."""


def _shown(name: object) -> str:
    """The text of a name: a text as it is, and of a long key only the beginning."""
    if isinstance(name, str):
        return name
    text = text_of(name)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _listed(names: list[str]) -> str:
    """The names, or the first of very many, so that the reason is not far behind them."""
    whole = ", ".join(names)
    if len(whole) <= _LONG:
        return whole
    count = max(whole[:_LONG].count(", "), 1)
    return f"{', '.join(names[:count])} and {len(names) - count} more"


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """True if both are the same failures under the same names, by identity."""
    return len(one) == len(other) and all(
        a is b
        or (
            type(a) is tuple and type(b) is tuple and all(x is y for x, y in zip(a, b, strict=True))
        )
        for a, b in zip(one, other, strict=True)
    )
