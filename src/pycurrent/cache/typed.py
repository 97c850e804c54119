"""Values of a type as people type them: in a form, on a command line, in JSON."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Generic, TypeVar

from msgspec import Struct

from pycurrent.cache.codec import Codec, UnreadableValue, codec_for
from pycurrent.cache.forms.hints import name_of
from pycurrent.errors import UsageError
from pycurrent.term import shown

T = TypeVar("T")

_WHOLE = re.compile(r"-?\d+", re.ASCII)


class Typed(Struct, Generic[T], frozen=True):
    """A type whose values people type."""

    type: object
    codec: Codec[Any]

    @classmethod
    def of(cls, type: object, *, what: str) -> Typed[Any]:
        """Raises `UnstableType` if values of the type can't be kept. `what` names them."""
        return cls(type, codec_for(type, what=what))

    @property
    def name(self) -> str:
        """The type, as people write it."""
        return name_of(self.type)

    def text_of(self, given: str) -> str:
        """The canonical text of a value that somebody has typed: a word or number as it is, or
        JSON. Raises `UsageError` if it is not of the type.
        """
        try:
            return self._canonical(json.dumps(given))
        except UnreadableValue as as_word:
            try:
                return self._canonical(given)
            except UnreadableValue as as_json:
                raise self._refused(given, as_json if _is_json(given) else as_word) from None

    def text_of_json(self, given: str) -> str:
        """The canonical text of a value in JSON. Raises `UsageError` as `text_of` does."""
        try:
            return self._canonical(given)
        except UnreadableValue as error:
            raise self._refused(given, error) from None

    def _canonical(self, text: str) -> str:
        try:
            value = self.codec.decode(text)
        except UnreadableValue as error:
            value = self._as_float(text, error)
        return self.codec.encode(value)

    def _as_float(self, text: str, error: UnreadableValue) -> Any:
        """A whole number as a float, as JSON has one kind of number; raises `error` for others."""
        if _WHOLE.fullmatch(text):
            with suppress(UnreadableValue):
                return self.codec.decode(f"{text}.0")
        raise error

    def _refused(self, given: str, error: UnreadableValue) -> UsageError:
        return UsageError(f"{shown(given)} is refused: the {str(error).removeprefix('stored ')}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def plain(text: str) -> str:
    """The canonical text of a value as somebody would type it."""
    return str(json.loads(text)) if text[:1] == '"' else text
