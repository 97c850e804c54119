"""The forms of values that may be of several types: optional values, unions, literals, `object`."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from msgspec import Struct

from pycurrent.cache.forms.containers import mapping, sequence, unordered
from pycurrent.cache.forms.form import Form, MisfitError, Read, Write, later, no_stable_form, not_a
from pycurrent.cache.forms.scalars import NONE, SCALARS

NATIVE = (type(None), bool, int, float, str)
"""The types that JSON itself tells apart: their values carry no tag."""


def optional(form: Form) -> Form:
    """None besides the values of a form that never writes null."""

    def write(value: object) -> str:
        return "null" if value is None else form.write(value)

    def read(tree: object) -> object:
        return None if tree is None else form.read(tree)

    return Form(write, read)


class Member(Struct, frozen=True):
    """One type of a union: what its values are instances of, how they are written and marked."""

    cls: type
    form: Form
    tag: str | None

    def write(self, value: object) -> str:
        text = self.form.write(value)
        return text if self.tag is None else f'{{"${self.tag}":{text}}}'


def union(name: str, members: list[Member]) -> Form:
    """Values of one of several types, chosen by the type of the value.

    That is the exact type if it is a member, else the first member from the most to the least
    derived that the value is an instance of; an int counts as a float if int is not a member.
    The classes and the tags of `members` must differ; those without tag must be `NATIVE`.
    """
    writes: dict[type, Write] = {member.cls: member.write for member in members}
    candidates = sorted(members, key=lambda member: -len(member.cls.__mro__))

    def less_exact(value: object) -> Write:
        for member in candidates:
            if isinstance(value, member.cls):
                return member.write
        if isinstance(value, int) and float in writes:
            return writes[float]
        raise not_a(name, value)

    def write(value: object) -> str:
        return (writes.get(type(value)) or less_exact(value))(value)

    return Form(write, _by_tag(name, members, {}))


def _by_tag(name: str, members: list[Member], untagged: dict[type, Read]) -> Read:
    """Reads what one of `members`, or of what else has no tag, has written."""
    tagged = {f"${m.tag}": m.form.read for m in members if m.tag is not None}
    untagged = {m.cls: m.form.read for m in members if m.tag is None} | untagged

    def read(tree: Any) -> object:
        tag = _tag_of(tree)
        if tag is not None and tag in tagged:
            return tagged[tag](tree[tag])
        read_untagged = untagged.get(type(tree))
        if read_untagged is None:
            raise not_a(name, tree)
        return read_untagged(tree)

    return read


def _tag_of(tree: object) -> str | None:
    if type(tree) is not dict or len(tree) != 1:
        return None
    key = next(iter(tree))
    return key if key[:1] == "$" and key[:2] != "$$" else None


def literal(values: tuple[object, ...], form: Form) -> Form:
    """Only those values of a form that are among `values`, which are all of one type."""
    cls = type(values[0])

    def check(value: object) -> None:
        if type(value) is not cls or value not in values:
            raise MisfitError(f"is {value!r}, not one of {', '.join(map(repr, values))}")

    def write(value: object) -> str:
        check(value)
        return form.write(value)

    def read(tree: object) -> object:
        value = form.read(tree)
        check(value)
        return value

    return Form(write, read, is_text=form.is_text)


# Any type that can be known again


def anything() -> Form:
    """Values of JSON's own types and of the standard types, at any depth.

    Only of exactly these types: a class of the user's could not be found again when reading.
    """
    form = later(lambda: itself)
    members = _standard_members(form)
    array = sequence(list, form)
    with_text_keys = mapping(SCALARS[str], form)
    writes: dict[type, Write] = {member.cls: member.write for member in members}
    write_pairs = writes[dict]

    def write_dict(value: dict[object, object]) -> str:
        plain = all(type(key) is str for key in value)
        return with_text_keys.write(value) if plain else write_pairs(value)

    writes |= {list: array.write, dict: write_dict}
    read = _by_tag("a stored value", members, {list: array.read, dict: with_text_keys.read})

    def write(value: object) -> str:
        write_exact = writes.get(type(value))
        if write_exact is None:
            raise no_stable_form(type(value).__qualname__, value)
        return write_exact(value)

    itself = Form(write, read)
    return itself


def _standard_members(form: Form) -> list[Member]:
    plain = [Member(type(None), NONE, None)]
    plain += [Member(cls, SCALARS[cls], None) for cls in (bool, int, float, str)]
    spelled = (bytes, Decimal, UUID, datetime, date, time, timedelta)
    return [
        *plain,
        *(Member(cls, SCALARS[cls], cls.__name__) for cls in spelled),
        Member(type(Path()), SCALARS[Path], "Path"),
        Member(type(PurePath()), SCALARS[PurePath], "PurePath"),
        Member(tuple, sequence(tuple, form), "tuple"),
        Member(set, unordered(set, form), "set"),
        Member(frozenset, unordered(frozenset, form), "frozenset"),
        Member(dict, mapping(form, form), "dict"),
    ]
