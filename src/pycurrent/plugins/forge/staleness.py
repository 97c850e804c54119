"""Old answers: a forge may be asked where a change has not arrived yet, at a replica, say.

Two rules hold for the refs of a repository:

- A ref that has moved, as a delivery says, and is read where it was before, is read again soon.
- A ref that would go back to where it was in the last ten minutes stays as it is, until a second
  read says the same, or a delivery.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pycurrent.engine import Clock
from pycurrent.plugins.forge.values import Change, Move, Ref, Tag

_REMEMBERED = timedelta(minutes=10)
"""How long the places are known where a ref was: no replica lags behind for longer."""

Hash = str | None
"""The commit that a ref leads to; None for a ref that is not there."""


class RefsAnswers:
    """The answers that were read for one repository, and what is shown by them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shown: dict[str, Ref] | None = None
        """By their full names; None before the first answer."""
        self._left: dict[str, dict[Hash, datetime]] = {}
        """The places that refs have left, and when."""
        self._doubted: dict[str, Hash] = {}
        """The places where the last answer has refs that are not shown there."""
        self._told: dict[str, Move] = {}
        """The moves that no answer has confirmed."""

    def tell(self, moves: Iterable[Move]) -> None:
        """A delivery says so."""
        self._told |= {move.ref: move for move in moves}

    @property
    def is_old(self) -> bool:
        """True if the last answer seems to be old."""
        return bool(self._doubted or self._told)

    def take(self, found: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """Take an answer. Returns what is to be shown."""
        now = self._clock.now()
        self._forget(before=now - _REMEMBERED)
        answer = {ref.ref: ref for ref in found}
        if self._shown is None:
            self._shown = dict(answer)
        shown, doubted = dict(answer), dict[str, Hash]()
        for name in self._shown.keys() | answer.keys():
            was, is_now = _at(self._shown, name), _at(answer, name)
            if was == is_now:
                continue
            if self._is_doubtful(name, is_now):
                doubted[name] = is_now
                shown.pop(name, None)
                if name in self._shown:
                    shown[name] = self._shown[name]
            else:
                self._left.setdefault(name, {})[was] = now
        self._shown, self._doubted = shown, doubted
        self._told = {
            name: move
            for name, move in self._told.items()
            if move.before != move.after and _at(shown, name) == move.before
        }
        return found if not doubted else tuple(sorted(shown.values(), key=_place))

    def give_up(self) -> None:
        """The answers stay as they are: no more is expected of them."""
        self._told = {}

    def _is_doubtful(self, name: str, hash: Hash) -> bool:
        """True if a ref was there before, and only this answer has it there again."""
        if name in self._doubted and self._doubted[name] == hash:
            return False
        if name in self._told and self._told[name].after == hash:
            return False
        return hash in self._left.get(name, {})

    def _forget(self, *, before: datetime) -> None:
        kept = {
            name: {hash: left for hash, left in places.items() if left > before}
            for name, places in self._left.items()
        }
        self._left = {name: places for name, places in kept.items() if places}


def _at(refs: dict[str, Ref], name: str) -> Hash:
    ref = refs.get(name)
    return None if ref is None else ref.hash


def _place(ref: Ref) -> int:
    """Branches come first, then tags, then changes."""
    return 2 if isinstance(ref, Change) else 1 if isinstance(ref, Tag) else 0
