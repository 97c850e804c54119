"""Random programs as data. They are given two meanings: nodes (`machine`) and `naive`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from hypothesis import strategies as st

from pycurrent.incr import Absent

Value = int | list[Any] | None
Outcome = Value | Absent


@dataclass(frozen=True, slots=True)
class Waiting(Absent):
    """An absence of the lower rank."""

    label: str
    rank: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Broken(Absent):
    """An absence of the higher rank; what a function that raises leads to."""

    message: str
    rank: ClassVar[int] = 2


class Expr:
    """A term of a program. Compared by identity."""

    __slots__ = ()


@dataclass(frozen=True, eq=False, slots=True)
class Name(Expr):
    """An input, a parameter or a definition: one node, whoever uses it."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Fixed(Expr):
    outcome: Outcome


@dataclass(frozen=True, eq=False, slots=True)
class Apply(Expr):
    """A function of several terms that may be the same, or of one; it raises at times."""

    number: int
    args: tuple[Expr, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Listing(Expr):
    """A function that makes a list."""

    number: int
    args: tuple[Expr, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Choose(Expr):
    """A bind: the arguments choose one of the blocks, and are its parameter `name`."""

    args: tuple[Expr, ...]
    name: str
    blocks: tuple[Block, ...]


class Key(Enum):
    """What tells items apart."""

    ITEM = "item"
    HALF = "half"
    RAISING = "raising"


@dataclass(frozen=True, eq=False, slots=True)
class EachOf(Expr):
    source: Expr
    name: str
    key: Key
    body: Block
    collect: bool


@dataclass(frozen=True, eq=False, slots=True)
class Together(Expr):
    members: tuple[Expr, ...]
    collect: bool


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Definitions and a result, built while the graph runs. `raises` once it is built."""

    definitions: dict[str, Expr]
    result: Expr
    raises: bool = False


class Homes(Enum):
    """In which scope the node of a definition is made."""

    DEFINED = "where it is defined"
    FIRST_USED = "where it is first needed"


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """What happens before a run."""

    changes: dict[str, Outcome]
    toggled: frozenset[str]


@dataclass(frozen=True, eq=False, slots=True)
class Program:
    inputs: dict[str, Outcome]
    definitions: dict[str, Expr]
    homes: Homes
    gap: int
    fanout: int
    steps: list[Step]


# What the functions do


def number_of(value: Value) -> int:
    if isinstance(value, list):
        return sum(place * number_of(item) for place, item in enumerate(value, 1)) + len(value)
    return value or 0


def total(number: int, values: list[Value]) -> int:
    return number + number_of(list(values))


def apply(number: int, values: list[Value]) -> int:
    result = total(number, values)
    if number % 3 == 0 and result % 7 == 3:
        raise ValueError(f"bad {result}")
    return result % 4


def listing(number: int, values: list[Value]) -> list[Any]:
    result = total(number, values)
    return [(result * place + number) % 6 for place in range(result % 5)]


def chosen(expr: Choose, values: list[Value]) -> tuple[int, Block]:
    result = total(0, values)
    return result % 5, expr.blocks[result % len(expr.blocks)]


def key_of(key: Key, item: int) -> int:
    match key:
        case Key.ITEM:
            return item
        case Key.HALF:
            return item // 2
        case Key.RAISING:
            if item == 5:
                raise ValueError("key")
            return item


# Making them

NUMBERS = st.integers(0, 4)
ABSENCES = st.sampled_from([Waiting("a"), Waiting("b"), Broken("x"), Broken("y")])
INT_OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(NUMBERS, NUMBERS, NUMBERS, ABSENCES)
LISTS = st.lists(st.integers(0, 5), max_size=12)
FANOUTS = st.sampled_from([2, 2, 3, 32])
"""Mostly so few that short lists have trees of several levels."""
LIST_OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(LISTS, LISTS, LISTS, ABSENCES)
INTS = ("i0", "i1", "i2")
LIST_INPUTS = ("l0", "l1")


class Maker:
    """Draws the parts of a program. `ints` and `lists` are the names that may be used."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.named = 0

    def fresh(self, kind: str) -> str:
        self.named += 1
        return f"{kind}{self.named}"

    def definitions(
        self, ints: list[str], lists: list[str], depth: int, least: int, most: int
    ) -> dict[str, Expr]:
        made: dict[str, Expr] = {}
        for _ in range(self.draw(st.integers(least, most))):
            if self.draw(st.integers(0, 2)):
                name = self.fresh("d")
                made[name] = self.int_expr(ints, lists, depth, named=True)
                ints.append(name)
            else:
                name = self.fresh("e")
                made[name] = self.list_expr(ints, lists, depth, named=True)
                lists.append(name)
        return made

    def block(self, ints: list[str], lists: list[str], depth: int, *, of_list: bool) -> Block:
        ints, lists = list(ints), list(lists)
        definitions = self.definitions(ints, lists, depth - 1, 0, 2)
        expr = self.list_expr if of_list else self.int_expr
        result = expr(ints, lists, depth - 1)
        return Block(definitions, result, raises=self.draw(st.integers(0, 11)) == 11)

    def args(self, ints: list[str], lists: list[str], depth: int) -> tuple[Expr, ...]:
        made: list[Expr] = []
        for _ in range(self.draw(st.integers(1, 3))):
            if made and self.draw(st.integers(0, 4)) == 4:
                made.append(made[0])
            elif self.draw(st.integers(0, 3)) == 3:
                made.append(self.list_expr(ints, lists, depth - 1))
            else:
                made.append(self.int_expr(ints, lists, depth - 1))
        return tuple(made)

    def choose(self, ints: list[str], lists: list[str], depth: int, *, of_list: bool) -> Expr:
        name = self.fresh("p")
        count = self.draw(st.integers(1, 3))
        args = self.args(ints, lists, min(depth, 1))
        inside = [*ints, name]
        return Choose(
            args,
            name,
            tuple(self.block(inside, lists, depth, of_list=of_list) for _ in range(count)),
        )

    def many(self, ints: list[str], lists: list[str], depth: int, *, collect: bool) -> Expr:
        if self.draw(st.integers(0, 2)) == 0:
            count = self.draw(st.integers(0, 4))
            members = [self.int_expr(ints, lists, depth - 1) for _ in range(count)]
            return Together(tuple(members), collect)
        name = self.fresh("x")
        source = self.list_expr(ints, lists, min(depth, 1), items=True)
        key = self.draw(st.sampled_from(Key))
        body = self.block([*ints, name], lists, depth, of_list=False)
        return EachOf(source, name, key, body, collect)

    def int_expr(
        self, ints: list[str], lists: list[str], depth: int, *, named: bool = False
    ) -> Expr:
        kind = self.draw(st.integers(1 if named else 0, 9 if depth > 0 else 3))
        if kind == 0 or (kind <= 3 and not named):
            return Name(self.draw(st.sampled_from(ints)))
        if kind == 1:
            return Fixed(self.draw(INT_OUTCOMES))
        if kind <= 6:
            return Apply(self.draw(st.integers(0, 8)), self.args(ints, lists, depth))
        if kind <= 8:
            return self.choose(ints, lists, depth, of_list=False)
        return self.many(ints, lists, depth, collect=False)

    def list_expr(
        self,
        ints: list[str],
        lists: list[str],
        depth: int,
        *,
        named: bool = False,
        items: bool = False,
    ) -> Expr:
        """A list of numbers; `items` are plain ones, which may be told apart."""
        kind = self.draw(st.integers(1 if named else 0, 9 if depth > 0 else 2))
        if kind <= 1 and not named:
            return Name(self.draw(st.sampled_from(LIST_INPUTS if items else lists)))
        if kind <= 4 or items:
            return Listing(self.draw(st.integers(0, 8)), self.args(ints, lists, min(depth, 1)))
        if kind <= 6:
            return self.choose(ints, lists, depth, of_list=True)
        return self.many(ints, lists, depth, collect=True)


def steps_of(names: list[str], inputs: tuple[str, ...]) -> st.SearchStrategy[list[Step]]:
    outcomes = {name: LIST_OUTCOMES if name in LIST_INPUTS else INT_OUTCOMES for name in inputs}
    changes = st.fixed_dictionaries({}, optional=outcomes)
    toggled = st.frozensets(st.sampled_from(names), max_size=2)
    return st.lists(st.builds(Step, changes, toggled), min_size=2, max_size=7)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Terms of all kinds in each other."""
    definitions = Maker(draw).definitions(list(INTS), list(LIST_INPUTS), 3, 1, 5)
    names = sorted(definitions)
    observed = draw(st.frozensets(st.sampled_from(names), min_size=1))
    return Program(
        {name: draw(INT_OUTCOMES) for name in INTS}
        | {name: draw(LIST_OUTCOMES) for name in LIST_INPUTS},
        definitions,
        draw(st.sampled_from(Homes)),
        draw(st.sampled_from([0, 1, 64])),
        draw(FANOUTS),
        [Step({}, observed), *draw(steps_of(names, INTS + LIST_INPUTS))],
    )


class Pool:
    """Draws definitions that hang together only by a few names."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.definitions: dict[str, Expr] = {}

    def one_of(self, names: list[str]) -> Expr:
        return Name(self.draw(st.sampled_from(names)))

    def delays(self) -> list[str]:
        """The same input at several heights."""
        names = ["i0"]
        for place in range(self.draw(st.integers(0, 4))):
            self.definitions[f"delay{place}"] = Apply(1, (Name(names[-1]),))
            names.append(f"delay{place}")
        return names

    def shared(self, delays: list[str]) -> list[str]:
        names: list[str] = []
        for place in range(self.draw(st.integers(2, 5))):
            name = f"shared{place}"
            sources = [*INTS, *names]
            match self.draw(st.integers(0, 3)):
                case 0:
                    body = Block({}, Apply(1, (Name("x"), self.one_of(sources))))
                    source = Name(self.draw(st.sampled_from(LIST_INPUTS)))
                    self.definitions[name] = EachOf(source, "x", Key.ITEM, body, collect=False)
                case 1:
                    blocks = [Block({}, self.one_of(sources)) for _ in range(2)]
                    args = (self.one_of([*delays, *sources]),)
                    self.definitions[name] = Choose(args, "p", tuple(blocks))
                case _:
                    number = self.draw(st.integers(0, 8))
                    self.definitions[name] = Apply(number, (self.one_of(sources),))
            names.append(name)
        return names

    def routers(self, delays: list[str], shared: list[str]) -> list[str]:
        names: list[str] = []
        for place in range(self.draw(st.integers(2, 5))):
            name = f"router{place}"
            blocks: list[Block] = []
            for inner in self.draw(st.permutations([*shared, *names])):
                wrapped = self.draw(st.integers(0, 3)) == 3
                blocks.append(Block({}, Apply(2, (Name(inner),)) if wrapped else Name(inner)))
            args = (self.one_of([*delays, *delays, *names]),)
            self.definitions[name] = Choose(args, "p", tuple(blocks))
            names.append(name)
        return names


@st.composite
def exchanges(draw: st.DrawFn) -> Program:
    """Binds that pass on to each other what nobody else needs: in one step it is left by one
    and taken up by another.
    """
    pool = Pool(draw)
    delays = pool.delays()
    routers = pool.routers(delays, pool.shared(delays))
    steps = draw(steps_of(routers, INTS + LIST_INPUTS))
    for step in steps:
        step.changes["i0"] = draw(NUMBERS)
    return Program(
        {name: draw(NUMBERS) for name in INTS} | {name: draw(LISTS) for name in LIST_INPUTS},
        pool.definitions,
        draw(st.sampled_from(Homes)),
        draw(st.sampled_from([0, 64])),
        draw(FANOUTS),
        [Step({}, frozenset(routers)), *steps],
    )
