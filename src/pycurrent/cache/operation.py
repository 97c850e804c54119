"""The operations that authors write: an id, a key, a value, and an async function.

An operation is identified by its `id` and the digest of its key; the cache does the rest. The
fields of an operation object are its *context* (credentials, pools, settings). They are not
part of the key: asked for the same key by two objects, the cache makes it once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin

from pycurrent.cache.cache import OperationPrimitive, ResultCache
from pycurrent.cache.operation_type import AnyOperation
from pycurrent.cache.retry import Retry
from pycurrent.engine.changes import ChangeText
from pycurrent.engine.job import Job
from pycurrent.term import NO_LABELS, Primitive, Services

if TYPE_CHECKING:
    from pycurrent.cache.schedule import Schedule

K = TypeVar("K")
V = TypeVar("V")
O = TypeVar("O")  # noqa: E741


class CachedOperation(AnyOperation):
    """The three kinds of operations have this in common."""

    def invalidate(self, engine: Services, key: Any) -> None:
        """Forget the result for a key: it is made again if it is needed, or once it is."""
        engine.service(ResultCache).invalidate(self, key)


class Builder(CachedOperation, Generic[K, V]):
    """Makes a value from a key."""

    @abstractmethod
    async def build(self, job: Job, key: K) -> V:
        """Make the value; `await job.start(level=...)` before the work.

        An exception is the failure of the key, until someone asks for a rebuild.
        """

    def describe(self, key: K) -> str:
        """The work in a line."""
        return f"{self.id} {_shown(key)}"

    def labels(self, key: K) -> Mapping[str, str]:
        """Labels, such as the repository, by which people find the stages and jobs that use it."""
        return NO_LABELS

    async def describe_change(self, key: K, old: V, new: V) -> ChangeText | None:
        """Tell more about a change outside than both values, if making the value of a key again has
        given another one: who made it, and what it consists of. None: nothing more.

        As that of a `Monitor`: called beside all else, and if it raises, nothing more is told.
        """
        return None

    def get(
        self, key: K, *, schedule: Schedule | None = None, retry: Retry | None = None
    ) -> Primitive[V]:
        """The value for the key, made if it is not known, or older than the schedule allows.

        `retry` counts for this use instead of that of the class.
        """
        return OperationPrimitive(self, key, None, schedule, retry)

    async def work(self, job: Job, key: Any, value: Any) -> Any:
        return await self.build(job, key)

    def title(self, key: Any, value: Any) -> str:
        return self.describe(key)

    def labels_of(self, key: Any, value: Any) -> Mapping[str, str]:
        return self.labels(key)

    @classmethod
    def types(cls) -> tuple[object, object | None, object]:
        key, value = _arguments(cls, Builder, 2)
        return key, None, value


class Publisher(CachedOperation, Generic[K, V, O]):
    """Sets a key to a value. Only one value at a time can be wanted for a key."""

    @abstractmethod
    async def publish(self, job: Job, key: K, value: V) -> O:
        """Set it; `await job.start(level=...)` before the work."""

    def describe(self, key: K, value: V) -> str:
        """The work in a line."""
        return f"{self.id} {_shown(key)} {_shown(value)}"

    def labels(self, key: K, value: V) -> Mapping[str, str]:
        """Labels, such as the repository, by which people find the stages and jobs that use it."""
        return NO_LABELS

    def set(
        self, key: K, value: V, *, schedule: Schedule | None = None, retry: Retry | None = None
    ) -> Primitive[O]:
        """The outcome of setting the key to the value."""
        return OperationPrimitive(self, key, value, schedule, retry)

    async def work(self, job: Job, key: Any, value: Any) -> Any:
        return await self.publish(job, key, value)

    def title(self, key: Any, value: Any) -> str:
        return self.describe(key, value)

    def labels_of(self, key: Any, value: Any) -> Mapping[str, str]:
        return self.labels(key, value)

    @classmethod
    def types(cls) -> tuple[object, object | None, object]:
        return _arguments(cls, Publisher, 3)


class Operation(CachedOperation, Generic[K, V, O]):
    """The general form: brings a key to a value, with an outcome."""

    @abstractmethod
    async def run(self, job: Job, key: K, value: V) -> O:
        """Do it; `await job.start(level=...)` before the work."""

    def describe(self, key: K, value: V) -> str:
        """The work in a line."""
        return f"{self.id} {_shown(key)} {_shown(value)}"

    def labels(self, key: K, value: V) -> Mapping[str, str]:
        """Labels, such as the repository, by which people find the stages and jobs that use it."""
        return NO_LABELS

    def apply(
        self, key: K, value: V, *, schedule: Schedule | None = None, retry: Retry | None = None
    ) -> Primitive[O]:
        """The outcome of bringing the key to the value."""
        return OperationPrimitive(self, key, value, schedule, retry)

    async def work(self, job: Job, key: Any, value: Any) -> Any:
        return await self.run(job, key, value)

    def title(self, key: Any, value: Any) -> str:
        return self.describe(key, value)

    def labels_of(self, key: Any, value: Any) -> Mapping[str, str]:
        return self.labels(key, value)

    @classmethod
    def types(cls) -> tuple[object, object | None, object]:
        return _arguments(cls, Operation, 3)


def _arguments(cls: type, base: type, count: int) -> tuple[Any, ...]:
    """The types that the class gives for the type parameters of its base, also through a generic
    class in between; object for those that it leaves open.
    """
    given: dict[Any, dict[Any, Any]] = {}
    for ancestor in cls.__mro__:
        for written in ancestor.__dict__.get("__orig_bases__", ()):
            origin = get_origin(written)
            if origin is None or origin is Generic:
                continue
            arguments = get_args(_filled(written, given.get(ancestor, {})))
            if origin is base:
                return arguments
            given.setdefault(origin, dict(zip(origin.__parameters__, arguments, strict=True)))
    return (object,) * count


def _filled(alias: Any, types: Mapping[Any, Any]) -> Any:
    """A generic alias with types in the place of its type variables."""
    names = alias.__parameters__
    return alias[tuple(types.get(name, object) for name in names)] if names else alias


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
