"""The common failure of several named inputs: it names the failed ones, and why they failed.

`all` of labelled currents and `list_map` use it: names are the labels, or the keys of items. A
failed stage elsewhere that blocks some of them is named by its path, and what it blocks at the end.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pycurrent.incr import Absent, Gather, Node, combine
from pycurrent.term.account import Stage
from pycurrent.term.output import Failed, FailureKind, Muted, text_of

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
        causes = [() if own else _causes(why, node) for _, why, own, node in failures]
        listed = {id(part[1]) for part, stages in zip(failures, causes, strict=True) if not stages}
        told: list[tuple[Any, str]] = []
        blocked: list[Any] = []
        known: set[int] = set()
        for (name, failure, *_), stages in zip(failures, causes, strict=True):
            if not stages:
                told.append((name, failure.message))
            elif elsewhere := [stage for stage in stages if id(stage.absent) not in listed]:
                blocked.append(name)
                for stage in elsewhere:
                    # Of several stages that use one job, the first.
                    if id(stage.absent) not in known:
                        known.add(id(stage.absent))
                        told.append((str(stage.stage), _message(stage)))
        reasons = {reason for _, reason in told}
        # Several reasons would not fit on a line; their own stages show them.
        why = f": {reasons.pop()}" if len(reasons) == 1 else ""
        rest = f"; blocked: {_listed(blocked)}" if blocked else ""
        return f"{_listed([name for name, _ in told])} failed{why}{rest}"

    def _failures(self) -> list[_Part]:
        """Each name with its failure, whether that arose there, and its node; an input that stands
        twice is in it once.
        """
        failures: dict[tuple[int, int], _Part] = {}
        stack: list[Any] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, Muted):
                part = part.failed
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
        absent = self.unless_excused(combine(self.children))
        if not isinstance(absent, Failed):
            return absent
        # Muted failures are named only among themselves.
        rank = absent.rank
        failed = [
            (place, child)
            for place, child in enumerate(self.children)
            if child.absent is not None and child.absent.rank == rank
        ]
        if self.names is None:
            parts: tuple[Any, ...] = tuple([child.absent for _, child in failed])
        else:
            names = self.names
            parts = tuple(
                [(names[place], child.absent, _arose_in(child), child) for place, child in failed]
            )
        mine = self.absent
        if isinstance(absent, Muted):
            return self._muted(absent, parts)
        if isinstance(mine, FailedTogether) and _same(mine.parts, parts):
            return mine
        return FailedTogether(parts)

    def _muted(self, absent: Muted, parts: tuple[Any, ...]) -> Muted:
        """All of the failures are muted."""
        mine = self.absent
        if (
            isinstance(mine, Muted)
            and mine.mute is absent.mute
            and isinstance(mine.failed, FailedTogether)
            and _same(mine.failed.parts, parts)
        ):
            return mine
        return Muted(FailedTogether(parts), absent.mute)


def _arose_in(node: Node) -> bool:
    return all(source.absent is not node.absent for source in node.inputs())


def _causes(failure: Failed, node: Node) -> tuple[Stage, ...]:
    """The failed stages because of which a stage is blocked that an input comes from; empty if it
    has failed itself, or for what belongs to no stage.

    An input that only applies functions to the result of a stage has failed with it.
    """
    causes: dict[Stage, None] = {}
    seen: set[tuple[int, bool]] = set()
    ways = [(failure, node, False)]
    while ways:
        why, here, is_blocked = ways.pop()
        end, is_blocked = _back(why, here, is_blocked)
        together: Failed = why.failed if isinstance(why, Muted) else why
        if isinstance(end, Stage):
            if not (is_blocked and end.is_alive):
                return ()
            causes[end] = None
        elif isinstance(end, Gather) and isinstance(together, FailedTogether):
            if (id(why), is_blocked) not in seen:
                seen.add((id(why), is_blocked))
                parts = together._failures()
                ways.extend((part[1], part[3], is_blocked) for part in reversed(parts))
        else:
            return ()
    return tuple(causes)


def _back(failure: Failed, node: Node, is_blocked: bool) -> tuple[Node, bool]:
    """The node that a failure reaches an input from, and whether it blocks a stage on its way: a
    failed stage, the gathering of several failures, or what has failed without being a stage.
    """
    while not (isinstance(node, Stage) and node.state.is_failure):
        is_blocked = is_blocked or isinstance(node, Stage)
        source = next((source for source in node.inputs() if source.absent is failure), None)
        if source is None:
            break
        node = source
    return node, is_blocked


def _message(stage: Stage) -> str:
    assert isinstance(stage.absent, Failed)
    return stage.absent.message


_LONG = 120
"""The characters that names take at most before the reason, and a key that is not a text."""


def _shown(name: object) -> str:
    """The text of a name: a text as it is, and of a long key only the beginning."""
    if isinstance(name, str):
        return name
    text = text_of(name)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _listed(names: list[Any]) -> str:
    """The names, or the first of very many, so that the reason is not far behind them."""
    shown = [_shown(name) for name in names]
    whole = ", ".join(shown)
    if len(whole) <= _LONG:
        return whole
    count = max(whole[:_LONG].count(", "), 1)
    return f"{', '.join(shown[:count])} and {len(shown) - count} more"


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """True if both are the same failures under the same names, by identity."""
    return len(one) == len(other) and all(
        a is b
        or (
            type(a) is tuple and type(b) is tuple and all(x is y for x, y in zip(a, b, strict=True))
        )
        for a, b in zip(one, other, strict=True)
    )
