"""Primitives: the sources of values that the functions of components return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from msgspec import Struct

from pycurrent.term.given import Remedy, Stand, called, check_function, check_value
from pycurrent.term.output import (
    READY,
    Active,
    Activity,
    Failed,
    Failure,
    Hold,
    Ok,
    Output,
    failed_by,
)
from pycurrent.term.trust import TRUSTED, Trust

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
U = TypeVar("U")


NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Metadata(Struct, frozen=True, gc=False):
    """Facts about an output besides its value.

    `job_id` is the job that has made it, or is at work on it. `update` says what is being done to
    replace an output that is still reported, and `note` what there is to say besides: why it is
    waited, for one. `hold` says by what it is held: a pin or a pause.
    """

    job_id: str | None = None
    update: Activity | None = None
    note: str | None = None
    hold: Hold | None = None


class StageRef(Struct, frozen=True, eq=False):
    """Names a stage. Its text is the path: the names, joined by `/`. Equal if the paths are."""

    path: tuple[str, ...]
    labels: Mapping[str, str] = NO_LABELS
    is_stable: bool = True
    """False if only the order of building tells it from another one."""
    trust: Trust | None = TRUSTED
    """The trust of its work: see `untrusted`. None if that is not known yet."""

    def __eq__(self, other: object) -> bool:
        return self.path == other.path if isinstance(other, StageRef) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.path)

    def with_labels(self, more: Mapping[str, str]) -> StageRef:
        """The same stage with more labels; those that it has win."""
        if not more:
            return self
        # Called for each stage: a third of the time of `replace`.
        labels = {**more, **self.labels} if self.labels else more
        return StageRef(self.path, labels, self.is_stable, self.trust)

    @staticmethod
    def names_in(path: str) -> list[str]:
        """The names in the text of a path."""
        return [name.replace("%2F", "/").replace("%25", "%") for name in path.split("/")]

    @staticmethod
    def text_of(path: tuple[str, ...]) -> str:
        """The text of a path."""
        return "/".join([name.replace("%", "%25").replace("/", "%2F") for name in path])

    def __str__(self) -> str:
        return self.text_of(self.path)


class Services(Protocol):
    """Gives the objects that an engine has one of each."""

    def service(self, kind: Callable[[Any], T]) -> T:
        """The engine's one object of this kind, made as `kind(engine)` on first use.

        Raises `NoEngine` where nothing runs.
        """


class Runtime(Services, Protocol):
    """The engine, as a primitive sees it."""

    @property
    def stage(self) -> StageRef:
        """The stage that subscribes. Its path is computed when you ask for it."""


class NoEngine(Exception):
    """Only a running engine can give this value."""


class Reading(Struct, frozen=True):
    """The present output of an input, for the records of what has changed."""

    name: str | None
    """The identity of the input, the same in each run; None if it has none."""
    output: Output[Any]
    input: object
    """The input itself: a monitor, a variable ..."""
    by: str | None = None
    reason: str | None = None
    """The person who has set it, if one has, and why."""
    text_of: Callable[[Any], str | None] | None = None
    """Gives a text from which a value can be read back, or None. None: it can give no such text."""


class Subscription(ABC, Generic[T_co]):
    """One component's use of a primitive."""

    __slots__ = ()

    @property
    def is_input(self) -> bool:
        """True if it follows something outside of the pipeline, which `reading` tells."""
        return False

    def reading(self) -> Reading:
        """Return the present output of the input. Only for an input."""
        raise NotImplementedError

    @property
    def is_held(self) -> bool:
        """True if it gives a value at which its stage is pinned, and not that of `reading`."""
        return False

    @property
    def innermost(self) -> Subscription[Any]:
        """The subscription whose outputs it gives, before any `map_output`."""
        return self

    def through(self, output: Output[Any]) -> Output[Any]:
        """Return what it gives if this is the output of the innermost one."""
        return output

    @abstractmethod
    def read(self) -> tuple[Output[T_co], Metadata | None]:
        """Return the current output. Called within a step: must not block or change anything."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that the stage has from what it subscribes to."""
        return NO_LABELS

    def relabelled(self) -> None:
        """The labels of the stage have changed. Called within a step, as `read` is."""

    @abstractmethod
    def close(self) -> None:
        """Stop: nobody needs it any more. Called once, within a step or after it."""


class Primitive(Stand, ABC, Generic[T_co]):
    """A live source of (output, metadata).

    It holds nothing itself: the engine subscribes while a component needs it.
    """

    __slots__ = ()
    remedy: ClassVar[Remedy] = Remedy(
        "a primitive",
        "make a current of it outside of the function, see component()",
        "make a current of it, see component()",
    )

    @abstractmethod
    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T_co]:
        """Start following the source.

        `changed` says that `read` may give something else from now on. It may be called from
        any thread, often, and after `close` (then it does nothing); a step follows soon.
        """

    def map_output(self, fn: Callable[[Output[T_co]], Output[U]]) -> Primitive[U]:
        """A primitive that applies `fn` to this one's output. It fails if `fn` raises."""
        check_function(fn, "map_output")
        return _Mapped(self, fn)

    @staticmethod
    def constant(value: T) -> Primitive[T]:
        """A source of a value that never changes."""
        check_value(value, "Primitive.constant")
        return Fixed(Ok(value))


class Fixed(Primitive[T_co]):
    """A primitive that never changes."""

    __slots__ = ("metadata", "output")

    def __init__(self, output: Output[T_co], metadata: Metadata | None = None) -> None:
        self.output = output
        self.metadata = metadata

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T_co]:
        return _FixedSubscription(self.output, self.metadata)


class _FixedSubscription(Subscription[T_co]):
    __slots__ = ("_read",)

    def __init__(self, output: Output[T_co], metadata: Metadata | None) -> None:
        self._read = output, metadata

    def read(self) -> tuple[Output[T_co], Metadata | None]:
        return self._read

    def close(self) -> None:
        pass


class _Mapped(Primitive[T_co]):
    def __init__(self, source: Primitive[Any], fn: Callable[[Output[Any]], Output[T_co]]) -> None:
        self._source = source
        self._fn = fn

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T_co]:
        return _MappedSubscription(self._source.subscribe(runtime, changed), self._fn)


class _MappedSubscription(Subscription[T_co]):
    """Calls the function once for each output of its source."""

    def __init__(
        self, source: Subscription[Any], fn: Callable[[Output[Any]], Output[T_co]]
    ) -> None:
        self._source = source
        self._fn = fn
        self._seen: Output[Any] | None = None
        self._output: Output[T_co] = READY

    def read(self) -> tuple[Output[T_co], Metadata | None]:
        output, metadata = self._source.read()
        if output is not self._seen:
            self._seen = output
            self._output = self._mapped(output)
        return self._output, metadata

    def _mapped(self, output: Output[Any]) -> Output[Any]:
        try:
            mapped = self._fn(output)
            if not isinstance(mapped, Ok | Failed | Active):
                raise Failure(
                    f"{called(self._fn)} returned {type(mapped).__name__}: the function"
                    f" of map_output returns Ok(value), Failed(message) or Active(activity)"
                )
            return mapped
        except BaseException as error:
            return failed_by(error)

    @property
    def is_held(self) -> bool:
        return self._source.is_held

    @property
    def innermost(self) -> Subscription[Any]:
        return self._source.innermost

    def through(self, output: Output[Any]) -> Output[Any]:
        return self._mapped(self._source.through(output))

    @property
    def is_input(self) -> bool:
        return self._source.is_input

    def reading(self) -> Reading:
        return self._source.reading()

    @property
    def labels(self) -> Mapping[str, str]:
        return self._source.labels

    def relabelled(self) -> None:
        self._source.relabelled()

    def close(self) -> None:
        self._source.close()
