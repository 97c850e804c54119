"""The keys and values of a check, and the message for a broken rule."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from pycurrent.cache import AnyOperation, Builder, Codec, Operation, Publisher, codec_for
from pycurrent.term import Primitive

STORABLE = (
    "Use None, numbers, strings, bytes, paths, times, enumerations, tuples, lists, dictionaries "
    "and frozen dataclasses of these, or give the type `to_json` and `from_json`."
)


@dataclass(frozen=True, slots=True)
class Case:
    """A key, and the value to set it to; None for builders."""

    key: Any
    value: Any

    def wanted(self, work: AnyOperation) -> Primitive[Any]:
        """The primitive that a component of the plugin's author would return."""
        match work:
            case Builder():
                return work.get(self.key)
            case Publisher():
                return work.set(self.key, self.value)
            case Operation():
                return work.apply(self.key, self.value)
            case _:
                raise TypeError(f"{work!r} is not a Builder, Publisher or Operation")


def broken(work: AnyOperation, rule: str, seen: str, fix: str) -> NoReturn:
    """Raise the error for the author: the rule, what happened, and how to fix it."""
    raise AssertionError(f"operation {work.id!r} breaks a rule: {rule}; {seen}. {fix}")


def codec_of(work: AnyOperation, type: object, what: str) -> Codec[Any]:
    """The codec that the cache uses for a type of the operation. Raises `UnstableType`."""
    return codec_for(type, what=what, scope=vars(sys.modules[work.__class__.__module__]))
