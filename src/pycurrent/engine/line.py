"""A line of those who wait, in the order of their tickets.

It is kept in blocks, so that joining, leaving or asking for a place moves a block at most: in a
plain list of 100,000 each of them would move all that come behind.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Generic, TypeAlias, TypeVar

W = TypeVar("W")
Ticket: TypeAlias = int | tuple[int, int]

_BLOCK = 1000


class WaitingLine(Generic[W]):
    """A queue, sorted by tickets; of those with one ticket, the one who came first is first."""

    __slots__ = ("_blocks", "_size", "_ticket")

    def __init__(self, ticket: Callable[[W], Ticket], *, block: int = _BLOCK) -> None:
        """`ticket` gives the ticket of one who waits; a `block` holds up to twice as many."""
        self._ticket = ticket
        self._size = block
        self._blocks: list[list[W]] = []
        """None of them is empty."""

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def __iter__(self) -> Iterator[W]:
        return chain.from_iterable(self._blocks)

    def add(self, waiting: W) -> None:
        """Behind all that have its ticket, or an earlier one."""
        blocks, ticket = self._blocks, self._ticket(waiting)
        if not blocks:
            blocks.append([])
        number = len(blocks) - 1
        block = blocks[number]
        # All tickets of a line are of one kind.
        if not block or self._ticket(block[-1]) <= ticket:  # type: ignore[operator]
            block.append(waiting)  # as nearly all do
        else:
            number = bisect_right(blocks, ticket, lo=1, key=self._first) - 1
            block = blocks[number]
            block.insert(bisect_right(block, ticket, key=self._ticket), waiting)
        if len(block) > 2 * self._size:
            blocks.insert(number + 1, block[self._size :])
            del block[self._size :]

    def pop_first(self) -> W:
        """Take the first one out. Raises IndexError if nobody waits."""
        block = self._blocks[0]
        first = block.pop(0)
        if not block:
            del self._blocks[0]
        return first

    def remove(self, waiting: W) -> None:
        """Take this one out. Raises ValueError if it does not wait."""
        blocks = self._blocks
        if blocks and blocks[-1][-1] is waiting:
            # Where all leave, the last ones go first.
            blocks[-1].pop()
            if not blocks[-1]:
                del blocks[-1]
            return
        for number, at in self._with(self._ticket(waiting)):
            block = self._blocks[number]
            if block[at] is waiting:
                del block[at]
                if not block:
                    del self._blocks[number]
                return
        raise ValueError(f"{waiting!r} does not wait in this line")

    def index(self, ticket: Ticket, wanted: Callable[[W], bool]) -> int | None:
        """How many stand before the first one with this ticket that is `wanted`; None if there is
        none.
        """
        for number, at in self._with(ticket):
            if wanted(self._blocks[number][at]):
                return sum(map(len, self._blocks[:number])) + at
        return None

    def _with(self, ticket: Ticket) -> Iterator[tuple[int, int]]:
        """The places of those who have this ticket, as the numbers of their blocks and in these."""
        # Before the first block that begins with it there may be some of them.
        start = max(0, bisect_left(self._blocks, ticket, key=self._first) - 1)
        for number in range(start, len(self._blocks)):
            block = self._blocks[number]
            for at in range(bisect_left(block, ticket, key=self._ticket), len(block)):
                if self._ticket(block[at]) != ticket:
                    return
                yield number, at

    def _first(self, block: list[W]) -> Ticket:
        return self._ticket(block[0])
