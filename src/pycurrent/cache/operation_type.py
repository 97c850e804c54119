"""An operation's class: its interface to the cache, which is checked where the class is defined,
and what the cache adds to it: the codecs of its types.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from msgspec import Struct
from msgspec.structs import replace

from pycurrent.cache.class_checks import (
    OURS,
    RETIRE,
    STILL_THERE,
    STILL_THERE_MANY,
    check_class,
)
from pycurrent.cache.codec import Codec, codec_for, digest
from pycurrent.cache.retry import DEFAULT, Retry
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import TRUSTED, Stand, Trust, Untrusted, place_of, unfit


class AnyOperation(ABC):
    """A builder, a publisher, or an operation of the general form. Authors derive from those."""

    id: ClassVar[str]
    """Names the operation in the database: never give it to another operation or change it."""
    version: ClassVar[str | int | None] = None
    """Part of what is known: with another version all is made again, when it is needed. Change it
    when the work gives other results than before.
    """
    auto_cancel: ClassVar[bool] = False
    """True to cancel a running job as soon as nobody needs its result."""
    latched: ClassVar[bool] = False
    """True to report the last outcome while a new value is being set."""
    lookup: ClassVar[bool] = False
    """True if it only looks at something: a refresh by its schedule that finds the recorded value
    again leaves no job in the history, and no log. For builders.
    """
    durable: ClassVar[bool] = False
    """True if its effects are those of the commands that its jobs run. Where an engine has a lease,
    these go on when it is killed, and the next engine goes on with the job: see `Job.exec`.
    """
    local: ClassVar[bool] = False
    """True if it needs files of the engine's machine: a job that a pool would lend another place is
    refused before it starts.
    """
    retry: ClassVar[Retry] = DEFAULT
    """How often work that has failed is tried again by itself, by the kind of the failure."""

    for_untrusted: ClassVar[bool] = False
    """True if it runs no code of those for whom it works, and is made for untrusted work, too: it
    fetches their commit, or reports on it. Then it gets secrets, waits for no approval, and may set
    its keys. Each key should tell whom it is for: there is one thing outside for each.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_class(cls)

    @abstractmethod
    async def work(self, job: Job, key: Any, value: Any) -> Any:
        """Run it. `value` is None for an operation that has none."""

    @abstractmethod
    def title(self, key: Any, value: Any) -> str:
        """The work in a line, as people see it."""

    @abstractmethod
    def labels_of(self, key: Any, value: Any) -> Mapping[str, str]:
        """The labels that a stage has from using it for a key."""

    def started_with(self, key: Any) -> Limits | None:
        """The limits within which the job for a key is started before `work` is called: those of a
        field or class variable `limits`. None if there is none: then the work starts the job.

        A job that is started so takes less room while it waits, as its work has not begun.
        """
        limits = getattr(self, "limits", None)
        return limits if isinstance(limits, Limits) else None

    @classmethod
    @abstractmethod
    def types(cls) -> tuple[object, object | None, object]:
        """The types of key, value (None for no value), and outcome."""


def _work_of(cls: type) -> Callable[..., Any] | None:
    """The function of the work, as its author has written it; None for one of ours."""
    if cls.__module__.startswith("pycurrent."):
        return None
    works = [getattr(cls, "_work", None), *map(vars(cls).get, ("build", "publish", "run"))]
    return next((fn for fn in works if inspect.isfunction(fn)), None)


def _place(cls: type) -> str:
    """` (ci.py:12)`, or an empty text."""
    fn = _work_of(cls)
    return "" if fn is None else place_of(fn)


def _named(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}{_place(cls)}"


class Key(Struct, frozen=True, gc=False):
    """A key in the forms in which the cache uses it."""

    value: Any
    text: str
    """Readable: a string as it is, anything else as JSON."""
    json: str
    digest: str

    @property
    def source(self) -> str | None:
        """The source of untrusted work that it is for; None: it is for trusted work."""
        return None

    @property
    def to_retire(self) -> Trust:
        """The trust of the work that retires it."""
        return TRUSTED


_OF_SOURCE = "\x1f"
"""Stands between the digest of a key and the source of untrusted work: no digest has it."""


class UntrustedKey(Key, frozen=True, gc=False):
    """A key of untrusted work: with another digest for each source, so nobody else has its results,
    in memory or in the database.
    """

    trust: Untrusted
    """The trust of the stage for which it was made; of a recorded key only the source is known."""

    @property
    def source(self) -> str:
        return self.trust.source

    @property
    def to_retire(self) -> Trust:
        # Its setting was approved, or needed no approval.
        return replace(self.trust, approval=False)

    @classmethod
    def of(cls, key: Key, trust: Untrusted) -> UntrustedKey:
        digest = f"{key.digest}{_OF_SOURCE}{trust.source}"
        return cls(key.value, key.text, key.json, digest, trust)


class TargetValue(Struct, frozen=True):
    """The value to which a key is to be set. A builder's has neither value nor text."""

    value: Any
    text: str | None
    digest: str | None


NO_VALUE = TargetValue(None, None, None)
GONE = TargetValue(None, None, "{gone}")
"""The target of a run that retires what was set. No value has this digest: it is not JSON."""


class Retiring(Protocol):
    """An operation that retires what it has set, once that has gone from the pipeline."""

    async def retire(self, job: Job, key: Any, outcome: Any) -> None:
        """Say outside that the key has gone; `await job.start(level=...)` before the work."""


class CanTell(Protocol):
    """An operation that can tell whether an outcome, such as a file, is still there.

    It is asked when a result that an earlier engine has left is first needed, and by `verify`. If
    it raises, or takes longer than a minute, nobody knows: the outcome counts as there, people are
    told, and it is asked again. A failure is never asked about.
    """

    async def still_there(self, key: Any, outcome: Any) -> bool:
        """True if the outcome for a key is there. It may be cancelled."""


class CanTellOfMany(Protocol):
    """An operation that can tell that of many outcomes at once, instead of one after the other."""

    async def still_there_many(self, pairs: Sequence[tuple[Any, Any]]) -> Sequence[bool]:
        """Tell of each pair of a key and an outcome whether it is there, in this order.

        The pairs are those that equal operation objects (`==`) ask for in one step, 500 at most.
        """


_TEXT: Codec[str] = codec_for(str, what="a text")


class OperationType:
    """One operation: its id, flags and codecs."""

    def __init__(self, cls: type[AnyOperation]) -> None:
        self.cls = cls
        self.id = getattr(cls, "id", None) or ""
        if not self.id or not isinstance(self.id, str):
            raise UsageError(f"operation {cls.__qualname__} needs an id: a class attribute `id`")
        #: True if its author has said how it describes a change of its outcome.
        self.describes = any(
            "describe_change" in vars(ancestor)
            for ancestor in cls.__mro__
            if ancestor.__module__ not in OURS
        )
        self.version = None if cls.version is None else str(cls.version)
        self.auto_cancel = cls.auto_cancel
        self.latched = cls.latched
        self.retires = callable(getattr(cls, RETIRE, None))
        """True if it retires what it has set."""
        self.can_tell_of_many = callable(getattr(cls, STILL_THERE_MANY, None))
        self.can_tell = self.can_tell_of_many or callable(getattr(cls, STILL_THERE, None))
        """True if it can tell whether a result is still there."""
        self.for_untrusted = cls.for_untrusted
        """True if it runs no untrusted code, and works for it."""
        self.lookup = cls.lookup
        self.durable = cls.durable
        self.local = cls.local
        key, value, outcome = cls.types()
        if self.lookup and (value is not None or self.retires):
            raise UsageError(
                f"operation {self.id!r}: lookup = True is for builders, and not for what is set or"
                " retired: remove it, or derive from Builder"
            )
        scope = vars(sys.modules[cls.__module__])
        self.shown = name = f"operation {self.id!r}{_place(cls)}"
        """The operation in messages for its author, with the place in the author's file."""
        self._key: Codec[Any] = codec_for(key, what=f"key of {name}", scope=scope)
        self._value: Codec[Any] | None = (
            None if value is None else codec_for(value, what=f"value of {name}", scope=scope)
        )
        self.outcome: Codec[Any] = codec_for(outcome, what=f"outcome of {name}", scope=scope)

    @property
    def has_value(self) -> bool:
        return self._value is not None

    def key(self, key: Any, trust: Trust = TRUSTED) -> Key:
        """Raises `UnstableValue`."""
        json = self._key.encode(key)
        own = Key(key, str.__str__(key) if isinstance(key, str) else json, json, digest(json))
        return UntrustedKey.of(own, trust) if isinstance(trust, Untrusted) else own

    def recorded_key(self, text: str, key_digest: str) -> Key:
        """The key in a record, by its readable text and its digest.

        Raises `UnreadableValue`.
        """
        own, _, source = key_digest.partition(_OF_SOURCE)
        quoted = _TEXT.encode(text)
        json = quoted if digest(quoted) == own else text
        key = Key(self._key.decode(json), text, json, own)
        return UntrustedKey.of(key, Untrusted(source, "")) if source else key

    def target(self, value: Any) -> TargetValue:
        """Raises `UnstableValue`."""
        if self._value is None:
            return NO_VALUE
        text = self._value.encode(value)
        return TargetValue(value, text, digest(text))

    # A run gets and gives its own objects: it may change them, and so may the pipeline. They are
    # the same for all equal keys, and in the run that makes a result and in the next.

    def given_key(self, key: Key) -> Any:
        """The key as a run gets it. One that has more than its text comes as it is.

        Raises `UnreadableValue`.
        """
        return self._key.copy(key.value, key.json) if self._key.is_whole else key.value

    def given_value(self, target: TargetValue) -> Any:
        """The value that a run is to set, likewise."""
        if self._value is None or target.text is None:
            return None
        return self._value.copy(target.value, target.text) if self._value.is_whole else target.value

    def given_outcome(self, outcome: Any) -> Any:
        """An outcome of the pipeline, likewise."""
        return self.outcome.copy(outcome, self.outcome.encode(outcome))

    def taken(self, outcome: Any) -> tuple[Any, str]:
        """The outcome of a run as the pipeline sees it, which is what is stored: after a restart
        it sees nothing else. And its text.

        Raises `WrongKind` if it is not a value, `UnstableValue` or `UnreadableValue`.
        """
        if (remedy := unfit(outcome)) is not None:
            how = "await it" if inspect.isawaitable(outcome) else remedy.given
            if isinstance(outcome, Stand):
                how = "return the value; what makes several operations one is the pipeline"
            raise WrongKind(f"{self.shown} returned {remedy.what}: {how}")
        text = self.outcome.encode(outcome)
        return self.outcome.copy(outcome, text), text

    def same(self, cls: type[AnyOperation]) -> bool:
        """True if a class with this id is this operation: the same class, or one that the same
        code made again.
        """
        mine = self.cls
        return cls is mine or (cls.__module__, cls.__qualname__) == (
            mine.__module__,
            mine.__qualname__,
        )


class OperationTypes:
    """The operations that were used in one engine."""

    def __init__(self, told_of_first: Callable[[OperationType], None] | None = None) -> None:
        """`told_of_first` is called with each operation that is used for the first time."""
        self._told_of_first = told_of_first
        self._by_id: dict[str, OperationType] = {}
        self._by_class: dict[type[AnyOperation], OperationType] = {}

    def of(self, cls: type[AnyOperation]) -> OperationType:
        """The operation of a class. Raises `UsageError` if another one has its id."""
        found = self._by_class.get(cls)
        if found is not None:
            return found
        op_type = OperationType(cls)
        first = self._by_id.setdefault(op_type.id, op_type)
        if not first.same(cls):
            raise UsageError(
                f"two operations have the id {op_type.id!r}: {_named(first.cls)} and {_named(cls)};"
                " give each an id of its own"
            )
        self._by_class[cls] = op_type
        if first is op_type and self._told_of_first is not None:
            self._told_of_first(op_type)
        return op_type

    def find(self, op: str) -> OperationType | None:
        """The operation with an id, if it was used."""
        return self._by_id.get(op)
