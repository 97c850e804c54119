"""What a program means, evaluated from scratch: nothing is kept from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pycurrent.incr import Absent

from .program import (
    Apply,
    Block,
    Broken,
    Choose,
    EachOf,
    Expr,
    Fixed,
    Listing,
    Name,
    Outcome,
    Together,
    Value,
    apply,
    chosen,
    key_of,
    listing,
)


class Frame:
    """The names of a block, in one of the lives of the block.

    `is_current` says whether the block would be built like this in the world as it is now.
    """

    def __init__(
        self,
        parent: Frame | None,
        names: dict[str, Expr | Callable[[], Outcome]],
        is_current: Callable[[], bool] = lambda: True,
    ) -> None:
        self.parent = parent
        self.names = names
        self._is_current = is_current

    def find(self, name: str) -> Frame:
        """The frame where a name is defined."""
        frame = self
        while name not in frame.names:
            assert frame.parent is not None
            frame = frame.parent
        return frame

    def is_current(self) -> bool:
        return (self.parent is None or self.parent.is_current()) and self._is_current()


def leftmost(outcomes: Iterable[Outcome]) -> Absent | None:
    absences = [outcome for outcome in outcomes if isinstance(outcome, Absent)]
    return max(absences, key=lambda absence: absence.rank, default=None)


class World:
    """The inputs as they are in one step. `top` has the names of the program."""

    def __init__(self, inputs: dict[str, Outcome], definitions: dict[str, Expr]) -> None:
        self.inputs = dict(inputs)
        self.top = Frame(None, {**{n: self._input(n) for n in inputs}, **definitions})
        self.step = 0
        self._known: dict[tuple[Expr, Frame], tuple[Outcome, Any]] = {}

    def change(self, changes: dict[str, Outcome]) -> None:
        """Go on to the next step."""
        self.inputs.update(changes)
        self.step += 1
        self._known = {}

    def _input(self, name: str) -> Callable[[], Outcome]:
        return lambda: self.inputs[name]

    def outcome(self, expr: Expr, frame: Frame) -> Outcome:
        return self._evaluate(expr, frame)[0]

    def outcomes(self, exprs: Iterable[Expr], frame: Frame) -> list[Outcome]:
        return [self.outcome(expr, frame) for expr in exprs]

    def version(self, expr: Expr, frame: Frame) -> Any:
        """What differs whenever a function of the term may have to be called again.

        That is the outcome, but for lists of outcomes: they are not compared as a whole, so
        a change of what they are made from is one of theirs.
        """
        return self._evaluate(expr, frame)[1]

    def versions(self, exprs: Iterable[Expr], frame: Frame) -> list[Any]:
        return [self.version(expr, frame) for expr in exprs]

    def _evaluate(self, expr: Expr, frame: Frame) -> tuple[Outcome, Any]:
        found = self._known.get((expr, frame))
        if found is None:
            found = self._known[expr, frame] = self._evaluate_anew(expr, frame)
        return found

    def _evaluate_anew(self, expr: Expr, frame: Frame) -> tuple[Outcome, Any]:
        match expr:
            case Name(name):
                home = frame.find(name)
                bound = home.names[name]
                if isinstance(bound, Expr):
                    return self._evaluate(bound, home)
                outcome = bound()
                return outcome, outcome
            case Fixed(outcome):
                return outcome, outcome
            case Apply(number, args):
                outcome = self._call(lambda values: apply(number, values), args, frame)
                return outcome, outcome
            case Listing(number, args):
                outcome = self._call(lambda values: listing(number, values), args, frame)
                return outcome, outcome
            case Choose():
                return self._choose(expr, frame)
            case EachOf():
                return self._for_each(expr, frame)
            case Together(members, collect):
                outcomes = self.outcomes(members, frame)
                result = leftmost(outcomes) or (outcomes if collect else None)
                return result, (result, self.versions(members, frame))
        raise AssertionError(expr)

    def _call(
        self, fn: Callable[[list[Value]], Value], args: tuple[Expr, ...], frame: Frame
    ) -> Outcome:
        outcomes = self.outcomes(args, frame)
        absent = leftmost(outcomes)
        if absent is not None:
            return absent
        try:
            return fn(outcomes)  # type: ignore[arg-type]
        except ValueError as error:
            return Broken(str(error))

    def _block(self, block: Block, frame: Frame, name: str, value: Outcome) -> tuple[Outcome, Any]:
        if block.raises:
            return Broken("block"), None
        return self._evaluate(block.result, Frame(frame, {name: Fixed(value), **block.definitions}))

    def _choose(self, expr: Choose, frame: Frame) -> tuple[Outcome, Any]:
        outcomes = self.outcomes(expr.args, frame)
        absent = leftmost(outcomes)
        if absent is not None:
            return absent, absent
        value, block = chosen(expr, outcomes)  # type: ignore[arg-type]
        outcome, version = self._block(block, frame, expr.name, value)
        return outcome, (outcomes, version)

    def items(self, expr: EachOf, frame: Frame) -> dict[int, int] | Absent:
        """The items by their keys."""
        source = self.outcome(expr.source, frame)
        if isinstance(source, Absent):
            return source
        assert isinstance(source, list)
        try:
            keys = [key_of(expr.key, item) for item in source]
        except ValueError as error:
            return Broken(str(error))
        items: dict[int, int] = {}
        for key, item in zip(keys, source, strict=True):
            if items.setdefault(key, item) != item:
                return Broken("duplicate")
        return items

    def _for_each(self, expr: EachOf, frame: Frame) -> tuple[Outcome, Any]:
        items = self.items(expr, frame)
        if isinstance(items, Absent):
            return items, items
        source = self.outcome(expr.source, frame)
        assert isinstance(source, list)
        parts = {item: self._block(expr.body, frame, expr.name, item) for item in items.values()}
        outcomes = [parts[item][0] for item in source]
        result = leftmost(outcomes) or (outcomes if expr.collect else None)
        return result, (result, source, [parts[item][1] for item in source])
