"""Codecs: the keys and values of operations as text that stays the same from run to run.

The text is canonical JSON, derived from the type (`forms.form` says what that means). A type
without a stable form is refused when the codec is made, with the name of the field: never `repr`,
never pickle.

Types with a form: None, bool, int, float, str, bytes, Decimal, UUID, datetime, date, time,
timedelta, Path, enumerations; list, tuple, dict, set, frozenset and their interfaces; dataclasses,
named tuples and typed dictionaries, generic and recursive ones, too; Optional, unions, Literal,
NewType, Annotated; `object` (then the run-time type says, and only standard types have one); and
every class with the methods `to_json(self)`, whose result has a form as an `object`, and
`from_json(cls, data)`.

Fields of a dataclass that are not compared (`field(compare=False)`) are left out, and must have a
default. A field that a text lacks, as it was added to the class later, is read as its default.
`__codec_version__` in a dataclass is its version: a text of another one is unreadable.
The format itself is version 1, which has no mark. A later one will begin with `{"$":`, which no
type reads in version 1.
"""

import hashlib
from collections.abc import Mapping
from json import JSONDecoder
from types import MappingProxyType
from typing import Any, Generic, NoReturn, TypeVar

from msgspec import Struct

from pycurrent.cache.forms.derive import derive
from pycurrent.cache.forms.form import Form, MisfitError
from pycurrent.errors import PycurrentError, UsageError

T = TypeVar("T")


class UnstableType(UsageError):
    """A type has no stable form. The message names the field."""


class UnstableValue(UsageError):
    """A value has no stable form, or is not of the declared type. The message names the field."""


class UnreadableValue(PycurrentError):
    """A stored text doesn't fit its type, which has changed. The message names the field."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_PLAIN = (bool, int, str)

_parse = JSONDecoder(parse_constant=_refuse_constant).raw_decode


class Codec(Struct, Generic[T], frozen=True):
    """Writes the values of one type as text, and reads them back. Made by `codec_for`.

    Immutable; may be used from any thread.
    """

    what: str
    _form: Form
    is_whole: bool = True
    """True if the text holds all of a value: it leaves out fields that are not compared."""
    _plain: type | None = None
    """The type, if a value of just this type can't be changed, and is read back as itself."""

    def encode(self, value: T) -> str:
        """The canonical text of a value: equal values of the type have the same.

        Raises UnstableValue.
        """
        try:
            return self._form.write(value)
        except MisfitError as error:
            raise UnstableValue(error.message(self.what)) from None
        except RecursionError as error:
            raise UnstableValue(f"{self.what} is nested too deeply, or contains itself") from error

    def copy(self, value: T, text: str) -> T:
        """Return what `decode` makes of the text of a value: nothing of it that can be changed is
        the value's own. Raises UnreadableValue.
        """
        return value if type(value) is self._plain else self.decode(text)

    def decode(self, text: str) -> T:
        """A value that is equal to the one that `text` was made of.

        Raises UnreadableValue if the text doesn't fit the type: another version wrote it.
        """
        try:
            tree, end = _parse(text)
            if end != len(text):
                raise MisfitError("has something after its end")
            value: T = self._form.read(tree)
        except MisfitError as error:
            raise UnreadableValue(error.message(f"stored {self.what}")) from error
        except (ValueError, RecursionError) as error:
            raise UnreadableValue(f"stored {self.what} is not JSON: {error}") from error
        return value


def codec_for(
    tp: object, *, what: str, scope: Mapping[str, object] = MappingProxyType({})
) -> Codec[Any]:
    """The codec for the values of a type (anything that may stand in an annotation).

    It takes some 50 µs, and looks at the type only here: make it once and keep it. `what` begins
    the messages ("key of operation 'frob'"). `scope` has the names for forward references in `tp`
    itself; those in a class are looked up where the class is defined.

    Raises UnstableType.
    """
    try:
        return Codec(what, *derive(tp, scope), tp if tp in _PLAIN else None)
    except MisfitError as error:
        raise UnstableType(error.message(what)) from error
    except RecursionError as error:
        raise UnstableType(f"{what} has a type that is nested without end") from error


# Digests

LONGEST_READABLE = 80
"""In characters. The digest of a longer text is a hash."""

_HASHED = "sha256:"
_JSON_WORDS = frozenset({"null", "true", "false"})


def digest(text: str) -> str:
    """A short name for a canonical text, readable where it can be. Different texts differ in it.

    A string that is short, printable and can't be taken for another text is its own digest; any
    other short and printable text, too (a string, then, with its quotes); else it is a hash.
    """
    if len(text) > LONGEST_READABLE or not text.isprintable():
        return _HASHED + hashlib.sha256(text.encode()).hexdigest()
    is_string = text[:1] == '"'
    return text[1:-1] if is_string and _stands_alone(text[1:-1]) else text


def _stands_alone(content: str) -> bool:
    """True if the content of a JSON string can't be taken for a JSON text or a hash."""
    if not content or content != content.strip() or "\\" in content:
        return False
    if content[0] in '{["' or content in _JSON_WORDS or content.startswith(_HASHED):
        return False
    return not (content[0] in "-0123456789" and _is_number(content))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
