"""The forms of single values: numbers, texts, dates, paths, enumerations."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any
from uuid import UUID

from pycurrent.cache.forms.form import Form, MisfitError, Write, not_a, quote

# JSON's own


def _write_none(value: object) -> str:
    if value is not None:
        raise not_a("None", value)
    return "null"


def _read_none(tree: object) -> None:
    if tree is not None:
        raise not_a("null", tree)


def _write_bool(value: object) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise not_a("bool", value)


def _write_int(value: object) -> str:
    # A bool or an IntEnum equals its number, and is written as that number.
    if not isinstance(value, int):
        raise not_a("int", value)
    try:
        return int.__repr__(value)
    except ValueError as error:
        raise MisfitError("is too long a number to be stored") from error


def _write_float(value: object) -> str:
    # Where a float is declared, an int may be given, and equals the float.
    if not isinstance(value, (float, int)):
        raise not_a("float", value)
    try:
        number = float(value)
    except OverflowError as error:
        raise MisfitError("is too big for a float") from error
    if not math.isfinite(number):
        raise MisfitError(f"is {number}, which equals nothing and has no stable form")
    if number != value:
        raise MisfitError("is an int that no float equals")
    return repr(number) if number else "0.0"  # -0.0 equals 0.0


def _write_str(value: object) -> str:
    if not isinstance(value, str):
        raise not_a("str", value)
    return quote(value)


def _reader(cls: type) -> Callable[[Any], Any]:
    def read(tree: object) -> object:
        if type(tree) is not cls:
            raise not_a(cls.__name__, tree)
        return tree

    return read


def _read_float(tree: object) -> float:
    if type(tree) is not float or not math.isfinite(tree):
        raise not_a("float", tree)
    return tree


NONE = Form(_write_none, _read_none)

# Types that are written as a string


def _spelled(cls: type, spell: Callable[[Any], str], parse: Callable[[str], object]) -> Form:
    """The form of a class whose values `spell` turns into text, each in one way."""

    def write(value: object) -> str:
        if not isinstance(value, cls):
            raise not_a(cls.__name__, value)
        return quote(spell(value))

    def read(tree: object) -> object:
        if type(tree) is not str:
            raise not_a("string", tree)
        try:
            return parse(tree)
        except (ValueError, ArithmeticError) as error:
            raise MisfitError(f"is {tree!r}, which is not a valid {cls.__name__}") from error

    return Form(write, read, is_text=True)


def _spell_decimal(value: Decimal) -> str:
    # 1.0 equals 1.00, and 0 equals -0: trailing zeros and the sign of zero are dropped. Not by
    # `normalize`, which rounds to the precision of the current context.
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise MisfitError(f"is {value}, which has no stable form")
    if not value:
        return "0"
    kept = len(digits)
    while digits[kept - 1] == 0:
        kept -= 1
    return str(Decimal((sign, digits[:kept], exponent + len(digits) - kept)))


def _parse_decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


def _spell_datetime(value: datetime) -> str:
    # The same instant in two time zones is equal.
    if value.utcoffset() is None:
        return value.replace(tzinfo=None).isoformat()
    try:
        return value.astimezone(UTC).isoformat()
    except OverflowError as error:
        raise MisfitError("is out of range in UTC") from error


def _spell_date(value: date) -> str:
    if isinstance(value, datetime):
        raise not_a("date", value)
    return value.isoformat()


def _spell_time(value: time) -> str:
    if value.tzinfo is not None:
        raise MisfitError("is a time with a time zone, which has no one spelling: use a datetime")
    return value.isoformat()


_PATH_HERE = type(PurePath())


def _spell_path(value: PurePath) -> str:
    # Paths of another system compare by other rules.
    if not isinstance(value, _PATH_HERE):
        raise not_a(_PATH_HERE.__name__, value)
    return str(value)


def _parse_bytes(text: str) -> bytes:
    from base64 import b64decode  # few values are bytes

    return b64decode(text, validate=True)


def _spell_bytes(value: bytes) -> str:
    from base64 import b64encode

    return b64encode(value).decode("ascii")


# Types that are written as a number

_MICROSECOND = timedelta(microseconds=1)


def _write_timedelta(value: object) -> str:
    if not isinstance(value, timedelta):
        raise not_a("timedelta", value)
    return str(value // _MICROSECOND)


def _read_timedelta(tree: object) -> timedelta:
    if type(tree) is not int:
        raise not_a("int", tree)
    try:
        return timedelta(microseconds=tree)
    except OverflowError as error:
        raise MisfitError("is out of range for a timedelta") from error


SCALARS = MappingProxyType(
    {
        bool: Form(_write_bool, _reader(bool)),
        int: Form(_write_int, _reader(int)),
        float: Form(_write_float, _read_float),
        str: Form(_write_str, _reader(str), is_text=True),
        bytes: _spelled(bytes, _spell_bytes, _parse_bytes),
        Decimal: _spelled(Decimal, _spell_decimal, _parse_decimal),
        UUID: _spelled(UUID, str, UUID),
        datetime: _spelled(datetime, _spell_datetime, datetime.fromisoformat),
        date: _spelled(date, _spell_date, date.fromisoformat),
        time: _spelled(time, _spell_time, time.fromisoformat),
        timedelta: Form(_write_timedelta, _read_timedelta),
        PurePath: _spelled(PurePath, _spell_path, PurePath),
        type(PurePath()): _spelled(type(PurePath()), _spell_path, PurePath),
        Path: _spelled(Path, _spell_path, Path),
        type(Path()): _spelled(type(Path()), _spell_path, Path),
    }
)
"""The form of each standard type that has one. Paths of another system have none.

A datetime with a time zone comes back in UTC, a Decimal without trailing zeros: equal, but not
always printed alike. A timedelta is its number of microseconds.
"""


def enumeration(cls: type[Enum]) -> Form:
    """Members by name; the combinations of a Flag by value, since not all of them have one."""
    return _flag(cls) if issubclass(cls, Flag) else _named(cls)


def _named(cls: type[Enum]) -> Form:
    texts = {member: quote(member.name) for member in cls}

    def read(tree: object) -> object:
        member = cls.__members__.get(tree) if type(tree) is str else None
        if member is None:
            raise MisfitError(f"is {tree!r}, which is not a valid {cls.__qualname__}")
        return member

    return Form(_checked(cls, texts.__getitem__), read, is_text=True)


def _flag(cls: type[Flag]) -> Form:
    def read(tree: object) -> object:
        if type(tree) is not int:
            raise not_a("int", tree)
        try:
            return cls(tree)
        except ValueError as error:
            raise MisfitError(f"is {tree!r}, which is not a valid {cls.__qualname__}") from error

    return Form(_checked(cls, lambda flag: str(int(flag.value))), read)


def _checked(cls: type, write: Write) -> Write:
    def write_checked(value: object) -> str:
        if type(value) is not cls:
            raise not_a(cls.__qualname__, value)
        return write(value)

    return write_checked
