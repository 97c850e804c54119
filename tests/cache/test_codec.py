"""Codecs: what comes back is equal, equal values have one text, and the unstable is refused."""

import enum
import math
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePath, PureWindowsPath
from types import ModuleType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.cache.codec import (
    LONGEST_READABLE,
    UnreadableValue,
    UnstableType,
    UnstableValue,
    codec_for,
    digest,
)

T = TypeVar("T")
KEY = "key of operation 'frob'"


class Color(enum.Enum):
    RED = enum.auto()
    GREEN = enum.auto()


class Word(enum.StrEnum):
    YES = "yes"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Commit:
    repo: Path
    hash: str


@dataclass(frozen=True)
class Tag:
    repo: Path
    hash: str


@dataclass(frozen=True)
class Box(Generic[T]):
    item: T
    more: "tuple[Box[T], ...]" = ()


@dataclass(frozen=True)
class Labelled(Box[int]):
    label: str = ""


@dataclass(frozen=True)
class Tree:
    name: str
    left: "Tree | None" = None
    children: "dict[str, Tree]" = field(default_factory=dict, hash=False)


Json = Union[None, bool, int, float, str, "list[Json]", "dict[str, Json]"]


@dataclass
class Document:
    content: Json


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict):
    name: str
    level: NotRequired[int]


Dollar = TypedDict("Dollar", {"$x": int})

Sha = NewType("Sha", str)


class Version:
    """A class with a form of its own making."""

    def __init__(self, *parts: int) -> None:
        if not parts:
            raise ValueError("no parts")
        self.parts = parts

    def to_json(self) -> object:
        return list(self.parts)

    @classmethod
    def from_json(cls, data: list[int]) -> "Version":
        return cls(*data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.parts == other.parts

    __hash__ = None  # type: ignore[assignment]


def encode(tp: object, value: object) -> str:
    return codec_for(tp, what=KEY).encode(value)


def round_trip(tp: object, value: object) -> object:
    codec = codec_for(tp, what=KEY)
    text = codec.encode(value)
    back: object = codec.decode(text)
    assert codec.encode(back) == text
    return back


# A value of each type, and its text

EXAMPLES: list[tuple[object, object, str]] = [
    (None, None, "null"),
    (bool, True, "true"),
    (int, -5, "-5"),
    (float, 1e300, "1e+300"),
    (float, 3, "3.0"),
    (str, 'é\n"', '"é\\n\\""'),
    (bytes, b"\x00\xff", '"AP8="'),
    (Decimal, Decimal("-1.50"), '"-1.5"'),
    (UUID, UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (date, date(2026, 1, 2), '"2026-01-02"'),
    (time, time(1, 2, 3), '"01:02:03"'),
    (datetime, datetime(2026, 1, 2, 3, 4), '"2026-01-02T03:04:00"'),
    (datetime, datetime(2026, 1, 2, 3, tzinfo=UTC), '"2026-01-02T03:00:00+00:00"'),
    (timedelta, timedelta(seconds=-1.5), "-1500000"),
    (Path, Path("/a/b"), '"/a/b"'),
    (PurePath, Path("a"), '"a"'),
    (Color, Color.RED, '"RED"'),
    (Word, Word.YES, '"YES"'),
    (Access, Access.READ | Access.WRITE, "3"),
    (Sha, Sha("ab"), '"ab"'),
    (Annotated[int, "unit: s"], 4, "4"),
    (list[int], [2, 1], "[2,1]"),
    (tuple[int, ...], (2, 1), "[2,1]"),
    (tuple[int, str], (2, "a"), '[2,"a"]'),
    (tuple[()], (), "[]"),
    (set[str], {"b", "a"}, '["a","b"]'),
    (frozenset[int], frozenset({2, 1}), "[1,2]"),
    (AbstractSet[int], frozenset({1}), "[1]"),
    (dict[str, int], {"b": 1, "a": 2, "a!": 3}, '{"a":2,"a!":3,"b":1}'),
    (dict[str, int], {"$x": 1}, '{"$$x":1}'),
    (dict[Path, int], {Path("b"): 1, Path("a"): 2}, '{"a":2,"b":1}'),
    (dict[Color, int], {Color.RED: 1}, '{"RED":1}'),
    (dict[int, str], {2: "b", 1: "a"}, '[[1,"a"],[2,"b"]]'),
    (dict[tuple[int, int], str], {(1, 2): "a"}, '[[[1,2],"a"]]'),
    (Mapping[str, int], {"a": 1}, '{"a":1}'),
    (Commit, Commit(Path("r"), "ab"), '{"hash":"ab","repo":"r"}'),
    (Box[int], Box(1, (Box(2),)), '{"item":1,"more":[{"item":2,"more":[]}]}'),
    (Labelled, Labelled(1, label="x"), '{"item":1,"label":"x","more":[]}'),
    (
        Tree,
        Tree("a", Tree("b")),
        '{"children":{},"left":{"children":{},"left":null,"name":"b"},"name":"a"}',
    ),
    (Point, Point(1, 2.0), '{"x":1,"y":2.0}'),
    (Options, {"name": "a", "level": 1}, '{"level":1,"name":"a"}'),
    (Options, {"name": "a"}, '{"name":"a"}'),
    (Dollar, {"$x": 1}, '{"$$x":1}'),
    (Version, Version(1, 2), "[1,2]"),
    (int | None, None, "null"),
    (Commit | None, Commit(Path("r"), "ab"), '{"hash":"ab","repo":"r"}'),
    (str | Path, "a", '"a"'),
    (str | Path, Path("a"), '{"$Path":"a"}'),
    (int | float | bool, 1, "1"),
    (int | float | bool, 1.0, "1.0"),
    (int | float | bool, True, "true"),
    (float | str, 1, "1.0"),
    (date | datetime, datetime(2026, 1, 2), '{"$datetime":"2026-01-02T00:00:00"}'),
    (Commit | Tag | None, Tag(Path("r"), "a"), '{"$Tag":{"hash":"a","repo":"r"}}'),
    (Version | None, Version(1), '{"$Version":[1]}'),
    (Literal["a", 1], 1, "1"),
    (Literal["a"] | int, "a", '"a"'),
    (Literal[Color.RED, "a"], Color.RED, '{"$Color":"RED"}'),
    (Literal["a"] | str, "b", '"b"'),
    (object, [1, "a", None, {"b": 1.5}], '[1,"a",null,{"b":1.5}]'),
    (object, (1, {2}), '{"$tuple":[1,{"$set":[2]}]}'),
    (object, {"$tuple": [1]}, '{"$$tuple":[1]}'),
    (object, {1: "a"}, '{"$dict":[[1,"a"]]}'),
    (Any, Path("a"), '{"$Path":"a"}'),
]


@pytest.mark.parametrize(("tp", "value", "text"), EXAMPLES)
def test_the_text_of_each_type(tp: object, value: object, text: str) -> None:
    """Each type has the text that is stored now: a change here makes stored results unreadable."""
    assert encode(tp, value) == text
    back = round_trip(tp, value)
    assert back == value
    assert type(back) is type(value) or tp in (float, float | str, PurePath)


# Round trips


@dataclass(frozen=True)
class Typed:
    """A type, and what makes values of it."""

    tp: Any
    values: st.SearchStrategy[Any]


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PATHS = st.text().map(Path)
ZONES: st.SearchStrategy[Any] = st.none() | st.integers(-1439, 1439).map(
    lambda m: timezone(timedelta(minutes=m))
)
DATETIMES = st.datetimes(
    min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=ZONES
)
HASHABLE = st.sampled_from(
    [
        Typed(None, st.none()),
        Typed(bool, st.booleans()),
        Typed(int, st.integers()),
        Typed(float, FLOATS),
        Typed(str, st.text()),
        Typed(bytes, st.binary()),
        Typed(Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
        Typed(UUID, st.uuids()),
        Typed(date, st.dates()),
        Typed(time, st.times()),
        Typed(datetime, DATETIMES),
        Typed(timedelta, st.timedeltas()),
        Typed(Path, PATHS),
        Typed(Color, st.sampled_from(Color)),
        Typed(Access, st.sampled_from([Access(n) for n in range(4)])),
        Typed(Commit, st.builds(Commit, PATHS, st.text())),
        Typed(Point, st.builds(Point, st.integers(), FLOATS)),
        Typed(str | Path | Commit | Tag, PATHS | st.builds(Tag, PATHS, st.text())),
        Typed(Box[int], st.builds(Box, st.integers())),
    ]
)


def contained(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """The types that are made of others."""
    return inner.flatmap(of_one) | st.tuples(HASHABLE, inner).flatmap(of_two)


def of(generic: Any, *args: Any) -> Any:
    """`generic[*args]`, which a type checker takes for an annotation."""
    return generic[args]


def of_one(inner: Typed) -> st.SearchStrategy[Typed]:
    tp: Any = inner.tp
    values = inner.values
    return st.sampled_from(
        [
            Typed(of(list, tp), st.lists(values, max_size=4)),
            Typed(of(tuple, tp, ...), st.lists(values, max_size=4).map(tuple)),
            Typed(of(Union, tp, None), st.none() | values),
            Typed(of(dict, str, tp), st.dictionaries(st.text(), values, max_size=4)),
            Typed(of(Box, tp), st.builds(Box, values)),
        ]
    )


def of_two(pair: tuple[Typed, Typed]) -> st.SearchStrategy[Typed]:
    key, item = pair
    return st.sampled_from(
        [
            Typed(of(set, key.tp), st.sets(key.values, max_size=4)),
            Typed(of(frozenset, key.tp), st.frozensets(key.values, max_size=4)),
            Typed(
                of(dict, key.tp, item.tp),
                st.dictionaries(key.values, item.values, max_size=4),
            ),
            Typed(of(tuple, key.tp, item.tp), st.tuples(key.values, item.values)),
        ]
    )


TYPED = st.recursive(HASHABLE, contained, max_leaves=4)


@given(TYPED, st.data())
def test_what_comes_back_is_equal(typed: Typed, data: st.DataObject) -> None:
    """A value of any type comes back equal, and has the same text again."""
    value = data.draw(typed.values)
    assert round_trip(typed.tp, value) == value


STANDARD = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text() | st.binary() | PATHS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$tuple", "$", "$$", "$dict"]), inner, max_size=1)
        | st.dictionaries(st.integers(), inner, max_size=3)
        | st.frozensets(st.text() | st.integers(), max_size=3)
    ),
    max_leaves=6,
)


@given(STANDARD)
def test_an_object_comes_back_equal(value: object) -> None:
    """Standard types are known again at any depth where only `object` is declared."""
    assert round_trip(object, value) == value


# One text for equal values


@given(STANDARD, st.randoms(use_true_random=False))
def test_order_without_meaning_does_not_show(value: object, random: Any) -> None:
    """Dicts and sets that were filled in another order have the same text."""

    def shuffled(part: object) -> object:
        match part:
            case dict():
                items = [(key, shuffled(item)) for key, item in part.items()]
                random.shuffle(items)
                return dict(items)
            case list() | tuple():
                return type(part)(map(shuffled, part))
            case frozenset():
                elements = list(part)
                random.shuffle(elements)
                return frozenset(elements)
            case _:
                return part

    assert encode(object, shuffled(value)) == encode(object, value)


@pytest.mark.parametrize(
    ("tp", "first", "second"),
    [
        (float, 1, 1.0),
        (float, -0.0, 0.0),
        (int, True, 1),
        (int, enum.IntEnum("Number", "ONE").ONE, 1),  # type: ignore[attr-defined]
        (str, Word.YES, "yes"),
        (Decimal, Decimal("1.0"), Decimal("1.00")),
        (Decimal, Decimal("1E+3"), Decimal(1000)),
        (Decimal, Decimal("-0"), Decimal(0)),
        (time, time(1, fold=1), time(1)),
        (datetime, datetime(2026, 1, 1, 1, fold=1), datetime(2026, 1, 1, 1)),
        (
            datetime,
            datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 1, 1, tzinfo=UTC),
        ),
        (set[int], frozenset({1}), {1}),
        (tuple[int, float], Point(1, 2), (1, 2.0)),
        (Path, Path("a/./b"), Path("a/b")),
    ],
)
def test_equal_values_have_one_text(tp: object, first: object, second: object) -> None:
    """Values that are equal within a type have one text, however they are spelt."""
    assert first == second
    assert encode(tp, first) == encode(tp, second)


@dataclass(frozen=True)
class Noted:
    name: str
    note: str = field(default="none", compare=False)


def test_fields_that_are_not_compared_are_left_out() -> None:
    """A field that does not count for equality is not stored, and comes back as its default."""
    assert encode(Noted, Noted("a", "b")) == encode(Noted, Noted("a", "c")) == '{"name":"a"}'
    assert codec_for(Noted, what=KEY).decode('{"name":"a"}').note == "none"


# Different texts for different values

CHOICE = str | int | float | bool | None | Path | bytes | Commit | Tag | date | datetime
CHOICES = st.one_of(
    st.sampled_from(["null", "true", "1", "1.0", '{"$Path":"1"}', "2026-01-01"]),
    st.integers(0, 2),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.booleans(),
    st.none(),
    st.sampled_from(["1", "a"]).map(Path),
    st.sampled_from([b"1", b"a"]),
    st.sampled_from([Commit(Path("1"), "a"), Tag(Path("1"), "a")]),
    st.sampled_from([date(2026, 1, 1), datetime(2026, 1, 1)]),
)


@given(CHOICES, CHOICES)
def test_members_of_a_union_are_told_apart(first: object, second: object) -> None:
    """Two values of a union have one text only if they are equal and of the same type."""
    same = type(first) is type(second) and first == second
    assert (encode(CHOICE, first) == encode(CHOICE, second)) == same
    assert type(round_trip(CHOICE, first)) is type(first)


def test_classes_of_the_same_name_are_told_apart() -> None:
    """Members of a union that share their name are tagged with their modules, too."""
    first: Any = dataclass(type("Same", (), {"__module__": "one"}))
    second: Any = dataclass(type("Same", (), {"__module__": "two"}))
    union = first | second
    assert encode(union, first()) == '{"$one.Same":{}}'
    assert encode(union, second()) == '{"$two.Same":{}}'


# Refusals


@dataclass
class Spec:
    name: str
    handle: socket.socket


@dataclass
class Request:
    specs: list[Spec]


@dataclass
class Run:
    when: Callable[[], bool]


@dataclass
class Bare:
    secret: str = field(compare=False)


@dataclass
class Late:
    name: str
    source: InitVar[str]


@dataclass
class Infinite(Generic[T]):
    inner: "Infinite[list[T]] | None"


class Half:
    def to_json(self) -> object:
        return 1


class Misversioned(NamedTuple):
    x: int


Misversioned.__codec_version__ = "1"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tp", "says"),
    [
        (
            Spec,
            f"{KEY}: field handle has type socket, which has no stable form: "
            "give it to_json/from_json methods or leave it out",
        ),
        (Request, f"{KEY}: field specs[...].handle has type socket, which has no stable form"),
        (socket.socket, f"{KEY} has type socket, which has no stable form"),
        (
            Run,
            f"{KEY}: field when has type collections.abc.Callable[[], bool], which has no",
        ),
        (dict[str, complex], f"{KEY}: item [...] has type complex, which"),
        (dict[complex, str], f"{KEY}: field <key> has type complex, which"),
        (tuple[int, complex], f"{KEY}: item [1] has type complex, which"),
        (PureWindowsPath, "no stable form"),
        (type[int], "no stable form"),
        (Sequence[int], "leaves open if it is list or tuple"),
        (list[int] | list[str], "list[int] and list[str] can't be told apart"),
        (Box[int] | Box[str], "can't be told apart"),
        (Box, f"{KEY}: field item has the type variable ~T, which stands for no type here"),
        (list["Missing"], "names 'Missing', which is not defined in its module"),  # type: ignore[name-defined]  # noqa: F821
        (Half, "has type Half, which has no from_json method"),
        (Bare, "can't be made from its compared fields (missing a required argument: 'secret')"),
        (Late, "can't be made from its compared fields (missing a required argument: 'source')"),
        (Infinite[int], "nested without end"),
        (Misversioned, "__codec_version__ is not an int"),
        ([1], "no stable form"),
    ],
)
def test_types_without_a_stable_form_are_refused(tp: object, says: str) -> None:
    """What has no stable form is refused when the codec is made, and the field is named."""
    with pytest.raises(UnstableType) as raised:
        codec_for(tp, what=KEY)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("tp", "value", "says"),
    [
        (str, 1, f"{KEY} is of type int, not str"),
        (int, "1", f"{KEY} is of type str, not int"),
        (int, 1.0, "is of type float, not int"),
        (date, datetime(2026, 1, 1), "is of type datetime, not date"),
        (time, time(1, tzinfo=UTC), "time zone"),
        (float, math.nan, "is nan"),
        (float, math.inf, "is inf"),
        (float, 2**53 + 1, "no float equals"),
        (float, 10**400, "too big"),
        pytest.param(int, 10**5000, "too long", id="an int too long"),
        (Decimal, Decimal("NaN"), "is NaN"),
        (str, "\ud800", "not valid Unicode"),
        (PurePath, PureWindowsPath("a"), "is of type PureWindowsPath, not PurePosixPath"),
        (list[int], [1, "2"], f"{KEY}: item [1] is of type str, not int"),
        (list[int], (1,), "is of type tuple, not list"),
        (tuple[int, str], (1,), "has 1 elements, not 2"),
        (dict[str, list[int]], {"a": [1.5]}, f"{KEY}: item ['a'][0] is of type float, not int"),
        (dict[str, int], {1: 1}, f"{KEY}: field <key 1> is of type int, not str"),
        (dict[int, int], {1: "a"}, f"{KEY}: item [1] is of type str, not int"),
        (Commit, Commit("r", "x"), f"{KEY}: field repo is of type str, not Path"),  # type: ignore[arg-type]
        (Tree, Tree("a", Tree("b", Tree(3))), f"{KEY}: field left.left.name is of type int"),  # type: ignore[arg-type]
        (Box[int], Labelled(1), "is of type Labelled, not Box"),
        (Commit | None, Tag(Path("r"), "x"), "is of type Tag, not Commit"),
        (Commit | Tag, Box(1), "is of type Box, not"),
        (Literal["a", "b"], "c", "is 'c', not one of 'a', 'b'"),
        (Literal[1], True, "is True, not one of 1"),
        (Options, {"level": 1}, "lacks the key 'name' of Options"),
        (Options, {"name": "a", "other": 1}, "has a key 'other' that Options has not"),
        (Options, {"name": 1}, f"{KEY}: field name is of type int, not str"),
        (object, [open], f"{KEY}: item [0] has type builtin_function_or_method, which"),
        (object, {"f": lambda: 1}, f"{KEY}: item ['f'] has type function, which"),
        (object, {1: [object()]}, f"{KEY}: item [1][0] has type object, which"),
        (object, Color.RED, "has type Color, which has no stable form"),
        (object, {(1, 0j)}, f"{KEY}: item [...][1] has type complex, which"),
        (object, LOOP, "nested too deeply, or contains itself"),
    ],
)
def test_values_that_do_not_fit_are_refused(tp: object, value: object, says: str) -> None:
    """A value that is not of the declared type, or has no stable form, is refused by its place."""
    codec = codec_for(tp, what=KEY)
    with pytest.raises(UnstableValue) as raised:
        codec.encode(value)
    assert says in str(raised.value)


@dataclass(frozen=True)
class Deep:
    """A chain of fields, each holding any value."""

    a: object


@given(st.lists(st.sampled_from(["list", "dict", "tuple"]), max_size=5))
def test_a_refusal_names_the_whole_path(kinds: list[str]) -> None:
    """However deep the unstable value is, the message says where."""
    value: object = object()
    path = ""
    for kind in kinds:
        match kind:
            case "list":
                value, path = [0, value], "[1]" + path
            case "tuple":
                value, path = (value,), "[0]" + path
            case _:
                value, path = {"k": value}, "['k']" + path
    with pytest.raises(UnstableValue) as raised:
        encode(Deep, Deep(value))
    assert str(raised.value).startswith(f"{KEY}: field a{path} has type object, which")


# Reading what another version wrote


@dataclass(frozen=True)
class Versioned:
    __codec_version__: ClassVar[int] = 2
    x: int


@dataclass(frozen=True)
class Positive:
    x: int

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x must be positive")


@pytest.mark.parametrize(
    ("tp", "text", "says"),
    [
        (str, "", "not JSON"),
        (str, '"a', "not JSON"),
        (str, '"a" ', "something after its end"),
        (int, "1.0", f"stored {KEY} is of type float, not int"),
        (float, "NaN", "not JSON"),
        (float, "1e999", "not float"),
        (bool, "1", "is of type int, not bool"),
        (date, '"2026-13-01"', "is '2026-13-01', which is not a valid date"),
        (bytes, '"?"', "which is not a valid bytes"),
        (Decimal, '"x"', "which is not a valid Decimal"),
        (Decimal, '"NaN"', "which is not a valid Decimal"),
        (Color, '"BLUE"', "is 'BLUE', which is not a valid Color"),
        (Access, "8", "is 8, which is not a valid Access"),
        (timedelta, "1" + "0" * 30, "out of range"),
        (Commit, '{"hash":"a"}', "has the fields ['hash'], where Commit has ['hash', 'repo']"),
        (Commit, '{"hash":"a","repo":"b","x":1}', "has the fields ['hash', 'repo', 'x'], where"),
        (Commit, '{"hash":"a","repo":1}', f"stored {KEY}: field repo is of type int, not string"),
        (Commit, "[]", "not object"),
        (list[int], '[1,"a"]', f"stored {KEY}: item [1] is of type str, not int"),
        (tuple[int, int], "[1]", "has 1 elements, not 2"),
        (dict[str, int], '{"a":"b"}', f"stored {KEY}: item ['a'] is of type str, not int"),
        (dict[str, int], '{"$a":1}', "has the key '$a'"),
        (dict[int, int], "[[1]]", "not a pair"),
        (dict[object, int], "[[[],1]]", "a key that a dict can't hold"),
        (set[object], "[[]]", "an element that a set can't hold"),
        (Commit | Tag, '{"$Other":{}}', "is of type dict, not"),
        (Commit | Tag, '{"hash":"a","repo":"b"}', "is of type dict, not"),
        (Literal["a"], '"b"', "is 'b', not one of 'a'"),
        (Version, "[]", "is refused by Version: ValueError: no parts"),
        (Positive, '{"x":-1}', "is refused by Positive: ValueError: x must be positive"),
        (Versioned, '{"x":1}', "has version None, where Versioned has 2"),
        (Versioned, '{"$version":1,"x":1}', "has version 1, where Versioned has 2"),
        (Commit, '{"$version":1,"hash":"a","repo":"b"}', "has version 1, where Commit has None"),
        (object, '{"$Other":1}', "has the key '$Other'"),
        pytest.param(object, "[" * 100_000, "not JSON", id="nested too deeply"),
    ],
)
def test_what_does_not_fit_is_unreadable(tp: object, text: str, says: str) -> None:
    """A text that another version wrote is refused with its place; nothing is guessed."""
    codec = codec_for(tp, what=KEY)
    with pytest.raises(UnreadableValue) as raised:
        codec.decode(text)
    assert says in str(raised.value)


@given(TYPED)
def test_a_later_format_is_unreadable(typed: Typed) -> None:
    """Whatever the type, a text that is marked as of a later format is refused."""
    with pytest.raises(UnreadableValue):
        codec_for(typed.tp | None if typed.tp else None, what=KEY).decode('{"$":2,"value":null}')


@given(TYPED, STANDARD)
def test_reading_anything_gives_a_value_or_unreadable(typed: Typed, other: object) -> None:
    """A text of another type is read as a value that can be written, or refused: no other error."""
    codec = codec_for(typed.tp, what=KEY)
    try:
        value = codec.decode(encode(object, other))
    except UnreadableValue:
        return
    codec.encode(value)


def test_a_version_is_part_of_the_text() -> None:
    """A class that declares a version has it in its text."""
    assert encode(Versioned, Versioned(1)) == '{"$version":2,"x":1}'
    assert round_trip(Versioned, Versioned(1)) == Versioned(1)


# How annotations are resolved


def test_recursive_aliases() -> None:
    """A type alias may name itself, where a class gives it the module to be found in."""
    value = Document([1, {"a": [None, "b"]}])
    assert round_trip(Document, value) == value


def test_a_name_means_what_it_does_in_its_own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two modules may use one name for different types, within one type, too."""
    holders = []
    for name, leaf in (("one", "int"), ("two", "str")):
        module: Any = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        source = f"""
from dataclasses import dataclass
from typing import Union
Alias = Union[{leaf}, list["Alias"]]
@dataclass
class Holder:
    content: Alias
"""
        exec(source, vars(module))
        holders.append(module.Holder)
    one, two = holders
    value = (one([[1]]), two([["a"]]))
    assert round_trip(of(tuple, one, two), value) == value


def test_a_class_in_a_function_may_name_itself() -> None:
    """A local class is not among the names of its module, but is known to itself."""

    @dataclass
    class Node:
        next: "Node | None"

    assert round_trip(Node, Node(Node(None))) == Node(Node(None))


def test_a_scope_gives_names_to_forward_references() -> None:
    """Forward references in the type itself are looked up in the scope that is given."""
    codec = codec_for(list["Commit"], what=KEY, scope=globals())
    assert codec.encode([Commit(Path("r"), "a")]) == '[{"hash":"a","repo":"r"}]'


def test_fields_that_are_no_parameters_are_set() -> None:
    """A field that the class fills in itself comes back as it was."""

    @dataclass(frozen=True)
    class Counted:
        name: str
        count: int = field(init=False, default=0)

    value = Counted("a")
    object.__setattr__(value, "count", 3)
    assert round_trip(Counted, value) == value


def test_file_names_that_are_no_text() -> None:
    """A path whose name is not UTF-8 comes back, and its text can be stored as UTF-8."""
    path = Path("caf\udce9")
    assert encode(Path, path).encode() == b'"caf\\udce9"'
    assert round_trip(Path, path) == path


# Digests


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("docker-build", "docker-build"),
        ("refs/heads/main é", "refs/heads/main é"),
        ("1a2b", "1a2b"),
        ("12", '"12"'),
        ("1e5", '"1e5"'),
        ("null", '"null"'),
        ("", '""'),
        (" a", '" a"'),
        ("{a", '"{a' + '"'),
        ("sha256:a", '"sha256:a"'),
        (12, "12"),
        (None, "null"),
        (["a", 1], '["a",1]'),
    ],
)
def test_short_keys_stay_readable(key: object, name: str) -> None:
    """A short key is its own digest; a string has no quotes unless it needs them."""
    assert digest(encode(object, key)) == name


@pytest.mark.parametrize("key", ["x" * LONGEST_READABLE, "a\u200eb", ["\u00a0"]])
def test_other_keys_are_hashed(key: object) -> None:
    """The digest of a key that is long or not printable is a hash of its text."""
    name = digest(encode(object, key))
    assert name.startswith("sha256:")
    assert len(name) == len("sha256:") + 64


@given(STANDARD | st.text(alphabet='"0123456789e.-[]{}:sha256nultrf'), STANDARD)
def test_digests_do_not_collide(first: object, second: object) -> None:
    """Different texts have different digests, also where one key looks like another's digest."""
    text, other = encode(object, first), encode(object, second)
    assert (digest(text) == digest(other)) == (text == other)
    lookalike = encode(object, digest(text))
    assert (digest(lookalike) == digest(text)) == (lookalike == text)
