"""The forms of what holds other values: sequences, sets, mappings, and records with fields."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

from msgspec import Struct

from pycurrent.cache.forms.form import Form, MisfitError, Read, Write, not_a, quote

# Sequences and sets


def _write_items(writes: Iterable[Write], items: Iterable[object]) -> list[str]:
    written: list[str] = []  # its length is the place of a misfit
    try:
        for write, item in zip(writes, items, strict=False):
            written.append(write(item))
    except MisfitError as error:
        raise error.under(f"[{len(written)}]") from None
    return written


def _read_items(reads: Iterable[Read], items: Iterable[object]) -> list[Any]:
    found: list[Any] = []  # its length is the place of a misfit
    try:
        for read, item in zip(reads, items, strict=False):
            found.append(read(item))
    except MisfitError as error:
        raise error.under(f"[{len(found)}]") from None
    return found


def _array(tree: object) -> list[object]:
    if type(tree) is not list:
        raise not_a("array", tree)
    return tree


def sequence(cls: type[list[Any]] | type[tuple[Any, ...]], item: Form) -> Form:
    """Lists, and tuples of any length."""

    def write(value: object) -> str:
        if not isinstance(value, cls):
            raise not_a(cls.__name__, value)
        return f"[{','.join(_write_items(repeat(item.write), value))}]"

    def read(tree: object) -> object:
        return cls(_read_items(repeat(item.read), _array(tree)))

    return Form(write, read)


def fixed_tuple(items: tuple[Form, ...]) -> Form:
    """Tuples with one form for each place."""
    writes = [item.write for item in items]
    reads = [item.read for item in items]

    def check_length(value: list[object] | tuple[object, ...]) -> None:
        if len(value) != len(items):
            raise MisfitError(f"has {len(value)} elements, not {len(items)}")

    def write(value: object) -> str:
        if not isinstance(value, tuple):
            raise not_a("tuple", value)
        check_length(value)
        return f"[{','.join(_write_items(writes, value))}]"

    def read(tree: object) -> tuple[Any, ...]:
        array = _array(tree)
        check_length(array)
        return tuple(_read_items(reads, array))

    return Form(write, read)


def unordered(cls: type[set[Any]] | type[frozenset[Any]], item: Form) -> Form:
    """Sets. A set and a frozenset can be equal, so either is written where one is declared."""

    def write_element(value: object) -> str:
        try:
            return item.write(value)
        except MisfitError as error:
            raise error.under("[...]") from None

    def write(value: object) -> str:
        if not isinstance(value, (set, frozenset)):
            raise not_a(cls.__name__, value)
        return f"[{','.join(sorted(map(write_element, value)))}]"

    def read(tree: object) -> object:
        try:
            return cls(_read_items(repeat(item.read), _array(tree)))
        except TypeError as error:
            raise MisfitError(f"has an element that a set can't hold: {error}") from error

    return Form(write, read)


# Mappings


def mapping(key: Form, value: Form) -> Form:
    """Dictionaries: an object if the keys are written as strings, else an array of pairs."""
    return _object(key, value) if key.is_text else _pairs(key, value)


def _escape(key: str) -> str:
    return "$" + key if key[:1] == "$" else key


def _unescape(key: str) -> str:
    if key[:1] != "$":
        return key
    if key[:2] != "$$":
        raise MisfitError(f"has the key {key!r}, which no value is written with")
    return key[1:]


def _object(key: Form, value: Form) -> Form:
    def written(items: dict[Any, Any]) -> Iterator[tuple[str, str]]:
        for name, item in items.items():
            try:
                text = key.write(name)
            except MisfitError as error:
                raise error.under(f".<key {name!r}>") from None
            try:
                item_text = value.write(item)
            except MisfitError as error:
                raise error.under(f"[{name!r}]") from None
            # Without its last quote, so that a key comes before those that it begins.
            yield (f'"${text[1:-1]}' if text[1] == "$" else text[:-1]), item_text

    def write(items: object) -> str:
        if not isinstance(items, dict):
            raise not_a("dict", items)
        members = [f'{name}":{text}' for name, text in sorted(written(items))]
        return f"{{{','.join(members)}}}"

    def read(tree: object) -> dict[Any, Any]:
        if type(tree) is not dict:
            raise not_a("object", tree)
        found = {}
        for name, item in tree.items():
            try:
                found[key.read(_unescape(name))] = value.read(item)
            except MisfitError as error:
                raise error.under(f"[{name!r}]") from None
        return found

    return Form(write, read)


def _pairs(key: Form, value: Form) -> Form:
    def write_pair(pair: tuple[object, object]) -> str:
        try:
            text = key.write(pair[0])
        except MisfitError as error:
            raise error.under(".<key>") from None
        try:
            return f"[{text},{value.write(pair[1])}]"
        except MisfitError as error:
            raise error.under(f"[{text}]") from None

    def write(items: object) -> str:
        if not isinstance(items, dict):
            raise not_a("dict", items)
        return f"[{','.join(sorted(map(write_pair, items.items())))}]"

    def read_pair(tree: object) -> tuple[Any, Any]:
        if type(tree) is not list or len(tree) != 2:
            raise MisfitError("is not a pair of key and value")
        return key.read(tree[0]), value.read(tree[1])

    def read(tree: object) -> dict[Any, Any]:
        try:
            return dict(_read_items(repeat(read_pair), _array(tree)))
        except TypeError as error:
            raise MisfitError(f"has a key that a dict can't hold: {error}") from error

    return Form(write, read)


# Records


class Field(Struct, frozen=True):
    """One named part of a record."""

    name: str
    form: Form
    required: bool = True


def record(
    cls: type, fields: list[Field], *, version: int | None, make: Callable[[dict[str, Any]], object]
) -> Form:
    """Objects whose parts are attributes; `make` makes one from the parts it was written with.

    A text must have the version of the class, and all of its fields but those with a default,
    which may have been added since. A field that the class has not was written by another version
    of it, and nothing tells what it meant there.
    """
    writes = [(f"{quote(f.name)}:", f.name, f.form.write) for f in _in_order(fields)]
    head = [] if version is None else [f'"$version":{version}']
    read_fields = _fields_reader(cls, fields, version)

    def write(value: object) -> str:
        if type(value) is not cls:
            raise not_a(cls.__qualname__, value)
        texts = head.copy()
        name = ""
        try:
            for prefix, name, write_field in writes:
                texts.append(prefix + write_field(getattr(value, name)))
        except MisfitError as error:
            raise error.under(f".{name}") from None
        return f"{{{','.join(texts)}}}"

    def read(tree: object) -> object:
        return made(cls, make, read_fields(tree))

    return Form(write, read)


def typed_dict(cls: type, fields: list[Field]) -> Form:
    """Dictionaries that have exactly the declared keys; those not required may be missing."""
    writes = {f.name: (f"{quote(_escape(f.name))}:", f.form.write) for f in _in_order(fields)}
    required = [f.name for f in fields if f.required]

    def write(value: object) -> str:
        if not isinstance(value, dict):
            raise not_a(cls.__qualname__, value)
        for name in required:
            if name not in value:
                raise MisfitError(f"lacks the key {name!r} of {cls.__qualname__}")
        for name in value:
            if name not in writes:
                raise MisfitError(f"has a key {name!r} that {cls.__qualname__} has not")
        texts = []
        name = ""
        try:
            for name, (prefix, write_field) in writes.items():
                if name in value:
                    texts.append(prefix + write_field(value[name]))
        except MisfitError as error:
            raise error.under(f".{name}") from None
        return f"{{{','.join(texts)}}}"

    return Form(write, _fields_reader(cls, fields, None))


def _in_order(fields: list[Field]) -> list[Field]:
    return sorted(fields, key=lambda field: quote(_escape(field.name)))


def _fields_reader(
    cls: type, fields: list[Field], version: int | None
) -> Callable[[object], dict[str, Any]]:
    by_key = {_escape(field.name): field for field in fields}
    required = {key for key, field in by_key.items() if field.required}

    def read(tree: object) -> dict[str, Any]:
        if type(tree) is not dict:
            raise not_a("object", tree)
        found = tree.pop("$version", None)
        if found != version:
            raise MisfitError(f"has version {found}, where {cls.__qualname__} has {version}")
        if not required <= tree.keys() <= by_key.keys():
            raise MisfitError(
                f"has the fields {sorted(tree)}, where {cls.__qualname__} has {sorted(by_key)}"
            )
        values = {}
        for key, item in tree.items():
            field = by_key[key]
            try:
                values[field.name] = field.form.read(item)
            except MisfitError as error:
                raise error.under(f".{field.name}") from None
        return values

    return read


def made(cls: type, make: Callable[[Any], object], data: object) -> object:
    """The object that `make` makes of stored data. If it raises, the format has changed."""
    try:
        return make(data)
    except Exception as error:
        raise MisfitError(
            f"is refused by {cls.__qualname__}: {type(error).__name__}: {error}"
        ) from error
