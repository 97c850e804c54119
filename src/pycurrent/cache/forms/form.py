"""Forms: how the values of one type are written as canonical JSON, and read back.

A `Form` is a pair of closures that is made once per type (by `derive`), so that writing and
reading a value looks at no type twice. Writing makes text directly; reading starts from what the
standard library's parser made of the text.

Canonical means: no spaces; the keys of objects and the elements of sets in the order
of their text; non-ASCII characters as they are; numbers, dates and so on in one spelling each, so
that values that are equal within their type give the same text. A tag distinguishes
two types that share a place (a union, `object`), but only if necessary: `{"$tag":value}`. A `$` at
the start of a key is ours; a user's key that starts with one gets a second one.

Why not a library: msgspec, which came nearest, has no unions of `str | Path` or of two
dataclasses, writes NaN as null and a value that is not of the declared type, and doesn't name the
field of what it refuses.
"""

import inspect
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from msgspec import Struct

# `Any` is right here: a form is chosen by a type that the type checker can't see, and checks at
# run time what it is given.
Write: TypeAlias = Callable[[Any], str]
Read: TypeAlias = Callable[[Any], Any]


class MisfitError(Exception):
    """A value or a type has no form: why, and where. It never leaves the codec.

    `reason` continues a sentence that begins with the name of the place: "has type socket, ...".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self._reason = reason
        self._path: list[str] = []

    def under(self, step: str) -> "MisfitError":
        """The same, seen from one level further out: `.name`, `[3]` or `['key']`."""
        self._path.append(step)
        return self

    def message(self, what: str) -> str:
        """The whole sentence, about `what` ("key of operation 'frob'")."""
        path = "".join(reversed(self._path))
        if not path:
            return f"{what} {self._reason}"
        place = f"field {path[1:]}" if path.startswith(".") else f"item {path}"
        return f"{what}: {place} {self._reason}"


class Form(Struct, frozen=True):
    """How the values of one type are written and read.

    `write` gives canonical JSON text, `read` takes what that text parses to; both raise
    MisfitError. `is_text` says that the text is a JSON string whatever the value.
    """

    write: Write
    read: Read
    is_text: bool = False


def later(form: Callable[[], Form]) -> Form:
    """Stands for a form within itself, before it is there."""

    def write(value: object) -> str:
        return form().write(value)

    def read(tree: object) -> object:
        return form().read(tree)

    return Form(write, read)


def no_stable_form(name: str, value: object = None) -> MisfitError:
    how = "give it to_json/from_json methods or leave it out"
    if inspect.isroutine(value) or inspect.ismodule(value) or inspect.isclass(value):
        how = "give its name, or the values that it depends on"
    return MisfitError(f"has type {name}, which has no stable form: {how}")


def not_a(name: str, value: object) -> MisfitError:
    return MisfitError(f"is of type {type(value).__qualname__}, not {name}")


def quote(text: str) -> str:
    """The JSON string of `text`.

    Of lone surrogates only those are written (escaped) that stand for the undecodable bytes of a
    file name: a pair of others would be read back as one character.
    """
    quoted = encode_basestring(text)
    if quoted.isascii():
        return quoted
    try:
        quoted.encode()
    except UnicodeEncodeError:
        return "".join(map(_escape_surrogate, quoted))
    return quoted


def _escape_surrogate(char: str) -> str:
    if not "\ud800" <= char <= "\udfff":
        return char
    if char < "\udc00":
        raise MisfitError("is not valid Unicode text: it holds a lone surrogate")
    return f"\\u{ord(char):04x}"
