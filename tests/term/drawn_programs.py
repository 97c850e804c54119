"""Random pipelines to draw, whose inputs change."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from pycurrent.term import (
    Current,
    Failed,
    Failure,
    Fixed,
    Ok,
    Output,
    Primitive,
    Var,
    all,
    collapse_list,
    component,
    constant,
    pair,
)
from pycurrent.term.output import READY, RUNNING, WAITING_FOR_CONFIRMATION

Term = Current[Any]
OUTPUTS: list[Output[int]] = [
    Ok(0),
    Ok(1),
    Ok(2),
    Failed("why"),
    Failed("for another reason"),
    READY,
    RUNNING,
    WAITING_FOR_CONFIRMATION,
]
LISTS: list[Output[list[int]]] = [
    Ok([]),
    Ok([1]),
    Ok([3, 1, 2]),
    Ok([2, 3]),
    Failed("no list"),
    READY,
]
OPTIONS: list[Output[int | None]] = [Ok(None), Ok(1), Ok(2), Failed("no option"), RUNNING]


KINDS = [
    "map",
    "component",
    "pair",
    "state",
    "catch",
    "gate",
    "bind",
    "named",
    "list",
    "iter",
    "option",
    "fold",
    "folds",
    "latch",
    "label",
    "all",
]


def _odd_fails(value: object) -> object:
    if value == 1:
        raise Failure("odd")
    return value


def _primitive(*values: object) -> Primitive[object]:
    return Fixed(RUNNING) if 2 in values else Primitive.constant(values[0] if values else 0)


@component("see {value}")
def see(value: object) -> Primitive[object]:
    return _primitive(value)


class Program:
    """A pipeline of terms that hypothesis chooses, over inputs that change."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.numbers = [Var[int](f"number {i}", draw(st.sampled_from(OUTPUTS))) for i in range(3)]
        self.lists = [Var[list[int]](f"list {i}", draw(st.sampled_from(LISTS))) for i in range(2)]
        self.option = Var[int | None]("option", draw(st.sampled_from(OPTIONS)))
        self.pool: list[Term] = [var.get() for var in self.numbers]
        for _ in range(draw(st.integers(1, 12))):
            self.pool.append(self._grow(self.pool, depth=2))
        self.root = all(self.pool[-3:])

    def _pick(self, pool: list[Term]) -> Term:
        return self._draw(st.sampled_from(pool))

    def _inside(self, pool: list[Term], depth: int) -> Callable[[Term], Term]:
        """A function of a term that makes the same part for each."""
        old = self._pick(pool)
        kinds = ["component", "map", "old", "constant", "named", "gate", "raises"]
        kind = self._draw(st.sampled_from(kinds + (["list", "option"] if depth else [])))
        deeper = self._inside(pool, depth - 1) if depth else None

        def part(item: Term) -> Term:
            match kind:
                case "component":
                    return component("inside", _primitive, item, old)
                case "map":
                    return item.map(_odd_fails)
                case "old":
                    return old
                case "constant":
                    return constant(1)
                case "raises":
                    raise Failure("no part")
                case "named":
                    return item.bind(lambda value: component("deep", _primitive), name="named")
                case "gate":
                    return component("gated", _primitive, old.gate(on=item))
                case _:
                    assert deeper is not None
                    if kind == "list":
                        return self.lists[1].get().list_map(lambda i: deeper(pair(item, i)))
                    return self.option.get().option_map(deeper)

        return part

    def _grow(self, pool: list[Term], depth: int) -> Term:
        term, other = self._pick(pool), self._pick(pool)
        match self._draw(st.sampled_from(KINDS)):
            case "map":
                return term.map(_odd_fails)
            case "component":
                return component("box", _primitive, term, other)
            case "pair":
                return pair(term, other)
            case "state":
                return term.state()
            case "catch":
                return term.catch(hidden=True)
            case "gate":
                return term.gate(on=other)
            case "bind" | "named" as kind:
                inside = self._inside(pool, depth)
                name = kind if kind == "named" else None
                return term.bind(lambda value: inside(constant(value)), name=name)
            case "list":
                return self.lists[0].get().list_map(self._inside(pool, depth))
            case "iter":
                return self.lists[1].get().list_iter(self._inside(pool, depth), collapse_key="i")
            case "option":
                return self.option.get().option_map(self._inside(pool, depth))
            case "fold":
                return term.collapse(key="k", value="v", input=other)
            case "folds":
                folded, _ = collapse_list([term, other], key="k", value="w", input=other)
                return folded[0]
            case "latch":
                return component("slow", _primitive, term).latch()
            case "label":
                return see(term)
            case _:
                return all([term, other, self._pick(pool)])

    def change(self) -> None:
        match self._draw(st.integers(0, 2)):
            case 0:
                self._draw(st.sampled_from(self.numbers)).set(self._draw(st.sampled_from(OUTPUTS)))
            case 1:
                self._draw(st.sampled_from(self.lists)).set(self._draw(st.sampled_from(LISTS)))
            case _:
                self.option.set(self._draw(st.sampled_from(OPTIONS)))
