"""The shares of a pool's resources that the values of a label have, and who is served next.

The value whose jobs hold the fewest resources is served first; of those that hold equally many,
the one that was served longest ago. So each gets an equal part while it has jobs that wait, and the
others get what it does not use. A value that holds nothing is served after at most one job of each
of the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Generic, TypeVar

from msgspec import Struct

from pycurrent.engine.line import WaitingLine

W = TypeVar("W")


class ShareView(Struct, frozen=True):
    """The share that a job belongs to, for people."""

    label: str
    value: str | None
    """None for jobs without the label."""
    held: int
    """The number of resources that its jobs hold."""
    quota: int | None
    """The most that they may hold."""

    @property
    def is_used_up(self) -> bool:
        """True if none of its jobs may have another resource now."""
        return self.quota is not None and self.held >= self.quota


class Shares(Generic[W]):
    """The shares of one pool. A value without jobs that hold a resource, or wait, has none."""

    def __init__(
        self, ticket: Callable[[W], int], quota: int | None, give_back: Callable[[], None]
    ) -> None:
        """No share holds more resources than the `quota`. Tickets order those who wait in one.
        `give_back` returns a resource to the pool, which hands it on.
        """
        self.ticket = ticket
        self.quota = quota
        self.give_back = give_back
        self._shares: dict[str | None, Share[W]] = {}
        self._turns = count()

    def __len__(self) -> int:
        return len(self._shares)

    def turn(self) -> int:
        """A place behind all that had their turn."""
        return next(self._turns)

    def get(self, value: str | None) -> Share[W] | None:
        """The share of a value, if it has one."""
        return self._shares.get(value)

    def has_room(self, value: str | None) -> bool:
        """True unless the share of this value holds its quota."""
        share = self._shares.get(value)
        return share is None or share.has_room

    def of(self, value: str | None) -> Share[W]:
        """The share of a value; None is that of jobs without the label."""
        share = self._shares.get(value)
        if share is None:
            share = self._shares[value] = Share(self, value)
        return share

    def forget_unused(self, share: Share[W]) -> None:
        """Forget a share that holds nothing and waits for nothing. Twice is fine."""
        if not share.held and not share.parts:
            self._shares.pop(share.value, None)


class Share(Generic[W]):
    """The share of one value, which lends resources of the pool to its jobs."""

    __slots__ = ("_shares", "held", "parts", "turn", "value")

    def __init__(self, shares: Shares[W], value: str | None) -> None:
        self._shares = shares
        self.value = value
        self.held = 0
        self.turn = shares.turn()
        """Of those that hold equally many the first one is served first."""
        self.parts: list[Part[W]] = []
        """Its jobs that wait, in each of the pool's lines. None of them is empty."""

    @property
    def order(self) -> tuple[int, int]:
        return self.held, self.turn

    @property
    def has_room(self) -> bool:
        """True unless it holds its quota."""
        return self._shares.quota is None or self.held < self._shares.quota

    def lend(self) -> None:
        """One of its jobs has got a resource."""
        self._change(self.held + 1, self._shares.turn())

    def give_back(self) -> None:
        """Take a resource back from one of its jobs. Once for each."""
        self._change(self.held - 1, self.turn)
        self._shares.give_back()
        self._shares.forget_unused(self)

    def _change(self, held: int, turn: int) -> None:
        for part in self.parts:
            part.line.order.remove(part)
        self.held, self.turn = held, turn
        for part in self.parts:
            part.line.order.add(part)


class Part(WaitingLine[W]):
    """The jobs of one share that wait in one line of the pool."""

    __slots__ = ("line", "share")

    def __init__(self, line: SharedLine[W], share: Share[W], ticket: Callable[[W], int]) -> None:
        super().__init__(ticket)
        self.line = line
        self.share = share

    def pop_first(self) -> W:
        first = super().pop_first()
        self._end_empty()
        return first

    def remove(self, waiting: W) -> None:
        super().remove(waiting)
        self._end_empty()

    def _end_empty(self) -> None:
        if not self:
            self.share.parts.remove(self)
            self.line.order.remove(self)
            del self.line.parts[self.share]


class SharedLine(Generic[W]):
    """A queue of several shares."""

    __slots__ = ("_shares", "order", "parts")

    def __init__(self, shares: Shares[W]) -> None:
        self._shares = shares
        self.parts: dict[Share[W], Part[W]] = {}
        self.order: WaitingLine[Part[W]] = WaitingLine(_order)
        """The parts. The first one is served first, unless its share holds its quota, as then all
        of them do.
        """

    def __len__(self) -> int:
        return sum(map(len, self.order))

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __iter__(self) -> Iterator[W]:
        """In the order in which they are served while nothing is given back, by any quota."""
        coming, sharing = deque(self.order), list[Iterator[W]]()
        held = 0
        while coming or sharing:
            if not sharing:
                held = coming[0].share.held
            joining = []
            while coming and coming[0].share.held == held:
                joining.append(iter(coming.popleft()))
            # Once a share is served, it has the newest turn of all that hold as many.
            these, sharing = joining + sharing, []
            for waiting in these:
                for first in waiting:
                    yield first
                    sharing.append(waiting)
                    break
            held += 1

    def add(self, waiting: W, share: Share[W]) -> Part[W]:
        """Behind those of its share that have its ticket, or an earlier one. Gives their part."""
        part = self.parts.get(share)
        if part is None:
            part = self.parts[share] = Part(self, share, self._shares.ticket)
            share.parts.append(part)
            self.order.add(part)
        part.add(waiting)
        return part

    def pop_first(self) -> W | None:
        """Take the first one out; None if the quotas let nobody have a resource now."""
        part = next(iter(self.order))
        return part.pop_first() if part.share.has_room else None

    def index(self, value: str | None, ticket: int, wanted: Callable[[W], bool]) -> int | None:
        """How many stand before the first one with this ticket that is `wanted`, of those that
        share by this value; None if there is none.
        """
        share = self._shares.get(value)
        own = None if share is None else self.parts.get(share)
        index = None if own is None else own.index(ticket, wanted)
        if share is None or index is None:
            return None
        rounds = share.held + index
        for part in self.order:
            if part is not own:
                other = part.share
                is_before = (-other.held, other.turn) < (-share.held, share.turn)
                index += min(max(rounds - other.held + is_before, 0), len(part))
        return index


def _order(part: Part[W]) -> tuple[int, int]:
    return part.share.order
