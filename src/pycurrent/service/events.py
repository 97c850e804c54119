"""The events of an engine, for followers whose connection may break.

Events come in numbered *batches*. A ring of bounded size keeps the last ones, so that a follower
that has lost the connection can continue after the last batch it has seen. Nothing is queued for a
follower: it gets the next batch when it has dealt with the last one. If it is so slow (or was away
for so long) that its next batch has left the ring, it has to read everything again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Container, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self, TypeAlias

from pycurrent.engine import Level, Problem
from pycurrent.service.window import Window
from pycurrent.term import Activity, Hold, State, Stats
from pycurrent.term.diagram import FailedInside, Inside
from pycurrent.view import Headline, JobView

KEPT_BATCHES = 10_000
KEPT_ENTRIES = 200_000
"""How much is kept: so many batches, with so many states and jobs in them, at most."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """How a box of the diagram is now."""

    state: State
    update: Activity | None
    job_id: str | None
    failure: str | None
    failed_inside: FailedInside | None = None
    inside: Inside | None = None
    note: str | None = None
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class StatesChanged:
    """Boxes of the diagram, by their ids, as they are now."""

    nodes: Mapping[str, NodeState]


@dataclass(frozen=True, slots=True)
class StructureChanged:
    """The diagram has other boxes, labels or edges than before: read it again."""

    version: int
    same: frozenset[Window] = frozenset()
    """The windows through which it looks as before."""


@dataclass(frozen=True, slots=True)
class JobsChanged:
    """Jobs that have not ended, by their ids, as they are now; None for one that has."""

    jobs: Mapping[str, JobView | None]


@dataclass(frozen=True, slots=True)
class ConfirmChanged:
    """Jobs at this level, or above, wait for confirmation from now on."""

    level: Level | None


@dataclass(frozen=True, slots=True)
class OverviewChanged:
    """The pipeline as a whole is otherwise than before."""

    state: State
    """Of its result."""
    failure: str | None
    counts: Stats
    jobs: int
    """How many jobs have not ended."""
    problems: tuple[Problem, ...] = ()
    """The problems of the engine itself."""
    headline: Headline | None = None
    """The failure to be told of first; None if nothing has failed."""


Event: TypeAlias = StatesChanged | StructureChanged | JobsChanged | ConfirmChanged | OverviewChanged


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one moment."""

    number: int
    events: tuple[Event, ...]

    @property
    def weight(self) -> int:
        """How many states and jobs it holds."""
        return sum(_weight(event) for event in self.events)

    def seen_through(self, window: Window, shown: Container[str] | None) -> Batch:
        """The part of it that concerns a window, which may be empty, with the same number.

        `shown` has the ids of the boxes that are seen; None stands for all.
        """
        return Batch(self.number, tuple(_seen(self.events, window, shown)))


@dataclass(frozen=True, slots=True)
class Reset:
    """Earlier batches have left the ring: the follower has to read everything again."""

    number: int


@dataclass(frozen=True, slots=True)
class EventId:
    """The number of a batch, and its engine. As text `<start of the engine>-<number>`."""

    start: str
    number: int

    def __str__(self) -> str:
        return f"{self.start}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id. Any other text counts as a batch of another engine."""
        start, _, number = text.rpartition("-")
        if number.isdecimal() and number.isascii() and len(number) < 16:
            return cls(start, int(number))
        return cls("", 0)


class EventHub:
    """Keeps the last batches, and hands them to followers. Belongs to the event loop's thread."""

    def __init__(
        self, start: str, *, batches: int = KEPT_BATCHES, entries: int = KEPT_ENTRIES
    ) -> None:
        """`start` tells this engine from those before and after it."""
        self._start = start
        self._most_batches = batches
        self._most_entries = entries
        self._batches: dict[int, Batch] = {}
        self._entries = 0
        self._last = 0
        self._news: asyncio.Event | None = None
        self._followers = 0
        self._on_follow: list[Callable[[], None]] = []
        self._closed = False

    @property
    def last(self) -> EventId:
        """The id of the last batch: who has read everything now goes on after it."""
        return EventId(self._start, self._last)

    @property
    def followers(self) -> int:
        """How many follow now."""
        return self._followers

    def id_of(self, batch: Batch | Reset) -> EventId:
        return EventId(self._start, batch.number)

    def on_follow(self, call: Callable[[], None]) -> None:
        """Have `call()` called whenever somebody begins to follow."""
        self._on_follow.append(call)

    def publish(self, *events: Event) -> None:
        """Tell of what has happened, in one batch. After `close` this does nothing."""
        if not events or self._closed:
            return
        self._last += 1
        batch = self._batches[self._last] = Batch(self._last, events)
        self._entries += batch.weight
        while len(self._batches) > self._most_batches or self._entries > self._most_entries:
            oldest = next(iter(self._batches))
            self._entries -= self._batches.pop(oldest).weight
        self._wake()

    def forget(self) -> None:
        """Forget all batches: who comes back has to read everything again."""
        self._last += 1
        self._batches.clear()
        self._entries = 0
        self._wake()

    async def follow(self, after: EventId | None = None) -> AsyncGenerator[Batch | Reset, None]:
        """The batches after this one, or (None) from now on, until `close`.

        None is left out: where some can't be told any more there is a `Reset` in their place.
        """
        self._followers += 1
        try:
            for call in self._on_follow:
                call()
            async with aclosing(self._follow(after)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self._followers -= 1

    async def _follow(self, after: EventId | None) -> AsyncGenerator[Batch | Reset, None]:
        position = self._last if after is None else after.number
        if after is not None and (after.start != self._start or position > self._last):
            position = self._last
            yield Reset(position)
        while True:
            while position < self._last:
                batch = self._batches.get(position + 1)
                if batch is None:
                    position = self._last
                    yield Reset(position)
                else:
                    position = batch.number
                    yield batch
            if self._closed:
                return
            await self._more()

    def close(self) -> None:
        """End all who follow, once they have seen what there is. Twice is fine."""
        self._closed = True
        self._wake()

    async def _more(self) -> None:
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()

    def _wake(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set()


def _seen(
    events: tuple[Event, ...], window: Window, shown: Container[str] | None
) -> Iterator[Event]:
    for event in events:
        match event:
            case StatesChanged(nodes) if shown is not None:
                seen = {id: state for id, state in nodes.items() if id in shown}
                if seen:
                    yield StatesChanged(seen)
            case StructureChanged(same=same) if window in same:
                pass
            case _:
                yield event


def _weight(event: Event) -> int:
    match event:
        case StatesChanged(nodes):
            return len(nodes)
        case JobsChanged(jobs):
            return len(jobs)
        case _:
            return 1
