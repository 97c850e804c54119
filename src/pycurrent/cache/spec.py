"""An operation's class, as the cache needs it: with the codecs of its types."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycurrent.cache.codec import Codec, codec_for, digest
from pycurrent.errors import UsageError

if TYPE_CHECKING:
    from pycurrent.cache.operation import CachedWork


@dataclass(frozen=True, slots=True)
class Key:
    """A key in the forms in which the cache uses it."""

    value: Any
    text: str
    """Readable: a string as it is, anything else as JSON."""
    digest: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a key is to be set to. A builder's has neither value nor text."""

    value: Any
    text: str | None
    digest: str | None


NO_VALUE = Target(None, None, None)


class Spec:
    """One operation: its id, flags and codecs."""

    def __init__(self, cls: type[CachedWork]) -> None:
        self.cls = cls
        self.id = getattr(cls, "id", None) or ""
        if not self.id or not isinstance(self.id, str):
            raise UsageError(f"operation {cls.__qualname__} needs an id: a class attribute `id`")
        self.auto_cancel = cls.auto_cancel
        self.latched = cls.latched
        key, value, outcome = cls.types()
        scope = vars(sys.modules[cls.__module__])
        name = f"operation {self.id!r}"
        self._key: Codec[Any] = codec_for(key, what=f"key of {name}", scope=scope)
        self._value: Codec[Any] | None = (
            None if value is None else codec_for(value, what=f"value of {name}", scope=scope)
        )
        self.outcome: Codec[Any] = codec_for(outcome, what=f"outcome of {name}", scope=scope)

    @property
    def has_value(self) -> bool:
        return self._value is not None

    def key(self, key: Any) -> Key:
        """Raises `UnstableValue`."""
        text = self._key.encode(key)
        return Key(key, key if isinstance(key, str) else text, digest(text))

    def target(self, value: Any) -> Target:
        """Raises `UnstableValue`."""
        if self._value is None:
            return NO_VALUE
        text = self._value.encode(value)
        return Target(value, text, digest(text))

    def same(self, cls: type[CachedWork]) -> bool:
        """Whether a class with this id is this operation: the same, or made anew by the same
        code.
        """
        mine = self.cls
        return cls is mine or (cls.__module__, cls.__qualname__) == (
            mine.__module__,
            mine.__qualname__,
        )
