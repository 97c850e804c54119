"""Tools for tests of terms: an engine that is driven by hand, and sources outside of it."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pycurrent.incr import Node
from pycurrent.term import (
    Current,
    Metadata,
    OfflineRuntime,
    Ok,
    Output,
    Primitive,
    Runtime,
    Stage,
    Stats,
    Subscription,
    TermGraph,
    component,
)

T = TypeVar("T")


class Steps(Generic[T]):
    """A pipeline that is kept up to date, one step for each call of `step`.

    Each step ends with a check of the graph's invariants, unless the pipeline is too large.
    """

    def __init__(self, current: Current[T], *, check: bool = True) -> None:
        self._due: list[Node] = []
        self._released: list[Stage] = []
        self._check = check
        self.live = TermGraph(OfflineRuntime(), self._due.append)
        self._observer = self.live.observe(self.live.expand(current))
        self.step()

    def step(self) -> Output[T]:
        """Take in all changes so far; the output after that."""
        due = self._due[:]
        self._due.clear()
        for node in due:
            self.live.push(node)
        self.live.stabilise()
        self._released += self.live.take_released()
        if self._check:
            self.live.check([self._observer])
        return self.output

    def take_changed(self) -> list[Stage]:
        """The stages that have changed, or were released, since the last call."""
        released, self._released = self._released, []
        return [*self.live.take_changed(), *released]

    @property
    def output(self) -> Output[T]:
        return self.live.output(self._observer.source)

    @property
    def value(self) -> T:
        output = self.output
        assert isinstance(output, Ok), output
        return output.value

    @property
    def stats(self) -> Stats:
        return self.live.stats

    @property
    def is_due(self) -> bool:
        """Whether something has asked for a step."""
        return bool(self._due)

    def stop(self) -> None:
        """Need the pipeline no longer: nothing may be left of it."""
        self.live.drop(self._observer)
        assert self.live.nodes == {}
        assert self.stats == Stats()


class Calls(list[Any]):
    """What functions were called with, in the order of the calls."""

    def take(self) -> list[Any]:
        """The calls since the last `take`."""
        taken = list(self)
        self.clear()
        return taken

    def of(self, fn: Callable[..., T]) -> Callable[..., T]:
        """The function, its calls recorded: the argument, or a tuple of several."""

        def recorded(*args: Any) -> T:
            self.append(args[0] if len(args) == 1 else args)
            return fn(*args)

        return recorded


class Tap(Primitive[T]):
    """A source outside of the engine, as a plugin would have one: it records who follows it.

    `events` gets "+name" for each subscription and "-name" for each that is closed.
    """

    def __init__(self, name: str, output: Output[T], events: list[str] | None = None) -> None:
        self.name = name
        self.output = output
        self.metadata: Metadata | None = None
        self.events: list[str] = [] if events is None else events
        self.open: list[TapSubscription[T]] = []
        self.listeners: list[Callable[[], None]] = []

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        self.events.append(f"+{self.name}")
        self.listeners.append(changed)
        subscription = TapSubscription(self)
        self.open.append(subscription)
        return subscription

    def set(self, output: Output[T], metadata: Metadata | None = None) -> None:
        """Change; all who ever followed are told, as late news from a thread would be."""
        self.output = output
        self.metadata = metadata
        for changed in self.listeners:
            changed()

    def current(self) -> Current[T]:
        return component(self.name, lambda: self)


class TapSubscription(Subscription[T]):
    def __init__(self, tap: Tap[T]) -> None:
        self._tap = tap

    def read(self) -> tuple[Output[T], Metadata | None]:
        assert self in self._tap.open, "read after close"
        return self._tap.output, self._tap.metadata

    def close(self) -> None:
        self._tap.open.remove(self)
        self._tap.events.append(f"-{self._tap.name}")
