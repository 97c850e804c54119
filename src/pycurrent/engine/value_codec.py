"""Values as text that can be read back: by codecs, which the engine is passed."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol, get_args, get_origin, get_type_hints

from pycurrent.errors import PycurrentError

_log = logging.getLogger(__name__)


class ValueCodec(Protocol):
    """Writes the values of a type as text, and reads them back."""

    def encode(self, value: Any) -> str:
        """Raises `PycurrentError` if the value has no stable form."""

    def decode(self, text: str) -> Any:
        """Raises `PycurrentError` if the text doesn't fit the type."""


class CodecOf(Protocol):
    """Makes codecs."""

    def __call__(self, type: object, /, *, what: str) -> ValueCodec:
        """The codec for a type. `what` begins its messages.

        Raises `PycurrentError` if values of the type have no stable form.
        """


def codec_or_none(codec_of: CodecOf, type: object, *, what: str) -> ValueCodec | None:
    """The codec for a type; None if its values can't be read back."""
    if type is None:
        return None
    try:
        return codec_of(type, what=what)
    except PycurrentError:
        return None


def text_or_none(codec: ValueCodec, value: object) -> str | None:
    """The text of a value; None if it has none, or is not of the codec's type."""
    try:
        return codec.encode(value)
    except PycurrentError:
        return None
    except Exception:
        # A `to_json` of its author.
        _log.warning("a value of an input can't be kept", exc_info=True)
        return None


def type_returned_by(function: Callable[..., object]) -> object:
    """The type that a function, async or not, is annotated to return; None if it does not say."""
    while isinstance(function, partial):
        function = function.func
    try:
        if not inspect.isroutine(function):
            function = type(function).__call__
        found = get_type_hints(function, include_extras=True).get("return")
    except Exception:
        return None  # For example, a name that only type checkers have.
    if get_origin(found) in (Awaitable, Coroutine):
        return get_args(found)[-1]
    return found
