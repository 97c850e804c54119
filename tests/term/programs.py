"""Random pipelines for property tests: a small language, and two ways to run it.

`Pipeline` makes terms of a program, as a user would. `Naive` says what it should amount to by
evaluating all of it anew, recursively, which takes no ingenuity. Values are tuples of one small
number, made anew by each function, so that equal values are hardly ever identical.

A *path* names one application of a function: the numbers are places in the program, and a
tuple within it is the item of a list or the value of a bind that it was made for.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Fixed,
    Ok,
    Output,
    Primitive,
    State,
    Stats,
    Var,
    all,
    bind,
    component,
    constant,
    from_output,
    map,
    seq,
)
from pycurrent.term.shape import Placeholder

Value: TypeAlias = tuple[int]
Path: TypeAlias = tuple[Hashable, ...]
LIMIT = 5


# The language


@dataclass(frozen=True)
class Just:
    output: Output[Value]


@dataclass(frozen=True)
class Read:
    """The value of a variable."""

    var: int


@dataclass(frozen=True)
class Shared:
    """An earlier definition of the program, one term for all who use it."""

    definition: int


@dataclass(frozen=True)
class Local:
    """What the function of a list, an option or a bind around it was given; 0 is the innermost."""

    depth: int


@dataclass(frozen=True)
class Map:
    add: int
    args: "tuple[Expr, ...]"


@dataclass(frozen=True)
class MapError:
    arg: "Expr"


@dataclass(frozen=True)
class Component:
    add: int
    args: "tuple[Expr, ...]"


@dataclass(frozen=True)
class Bind:
    """One of the branches, by the sum of the arguments."""

    args: "tuple[Expr, ...]"
    branches: "tuple[Expr, ...]"
    name: str | None


@dataclass(frozen=True)
class Each:
    """The body for each item of a list variable, or as many as a number says."""

    items: "int | Expr"
    body: "Expr"
    has_key: bool
    collect: bool


@dataclass(frozen=True)
class Option:
    """The body for the value unless that is (0,)."""

    arg: "Expr"
    body: "Expr"


@dataclass(frozen=True)
class Gate:
    arg: "Expr"
    on: "Expr"


@dataclass(frozen=True)
class Report:
    """What is known of the output, by `state` or by `catch`."""

    arg: "Expr"
    catch: bool


@dataclass(frozen=True)
class Every:
    args: "tuple[Expr, ...]"
    labels: tuple[str, ...] | None


@dataclass(frozen=True)
class Sum:
    args: "tuple[Expr, ...]"


Expr: TypeAlias = (
    Just
    | Read
    | Shared
    | Local
    | Map
    | MapError
    | Component
    | Bind
    | Each
    | Option
    | Gate
    | Report
    | Every
    | Sum
)


# What its functions do


def add_up(add: int, values: Sequence[Value]) -> Value:
    total = (add + sum(number for (number,) in values)) % LIMIT
    if total == LIMIT - 1:
        raise Failure("too much")
    return (total,)


def outcome_of_component(add: int, values: Sequence[Value]) -> Output[Value]:
    total = add_up(add, values)
    match total:
        case (2,):
            return Active(Activity.RUNNING)
        case (3,):
            return Failed("three")
        case _:
            return Ok(total)


def shorten(message: str) -> str:
    return f"<{message}>"[:8]


def report(output: Output[Value]) -> Value:
    match output:
        case Ok(value):
            return (value[0],)
        case Failed(message):
            return (len(message) % LIMIT,)
        case Active():
            return (0,)


def total(values: Sequence[Value]) -> Value:
    return (sum(number for (number,) in values) % LIMIT,)


def zero(_: object) -> Value:
    return (0,)


def below(value: Value) -> tuple[Value, ...]:
    return tuple([(2 * number,) for number in range(value[0])])


def unless_zero(value: Value) -> Value | None:
    return None if value == (0,) else value


def or_three(value: Value | None) -> Value:
    return (3,) if value is None else value


def key_of(item: Value) -> int:
    return item[0] // 2


# Terms of it


@dataclass
class Pipeline:
    """A program as terms. `calls` counts (place in the program, what its function got)."""

    definitions: list[Expr]
    numbers: list[Var[Value]]
    lists: list[Var[tuple[Value, ...]]]
    calls: Counter[tuple[Path, object]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._numbers = [var.get() for var in self.numbers]
        self._lists = [var.get() for var in self.lists]
        self._terms: list[Current[Value]] = []
        for place, definition in enumerate(self.definitions):
            self._terms.append(self._make(definition, (place,), ()))

    @property
    def root(self) -> Current[Value]:
        return self._terms[-1]

    def _make(self, expr: Expr, place: Path, env: tuple[Current[Value], ...]) -> Current[Value]:
        def make(part: Expr, index: int) -> Current[Value]:
            return self._make(part, (*place, index), env)

        def make_all(parts: tuple[Expr, ...]) -> list[Current[Value]]:
            return [make(part, index) for index, part in enumerate(parts)]

        match expr:
            case Just(output):
                return from_output(output)
            case Read(var):
                return self._numbers[var]
            case Shared(definition):
                return self._terms[definition]
            case Local(depth):
                return env[depth]
            case Map(add, (arg,)):
                return make(arg, 0).map(self._function(place, add))
            case Map(add, args):
                return map(self._function(place, add), *make_all(args))
            case MapError(arg):
                return make(arg, 0).map_error(self._recorded(place, shorten))
            case Component(add, args):
                return component("c", self._primitive(place, add), *make_all(args))
            case Bind(args, branches, name):
                decide = self._decision(place, branches, len(args), env)
                if len(args) == 1:
                    return make(args[0], 0).bind(decide, name=name)
                return bind(decide, *make_all(args), name=name)
            case Each():
                return self._each(expr, place, env)
            case Option(arg, body):
                some = make(arg, 0).map(unless_zero)
                return some.option_map(self._body(place, body, env)).map(or_three)
            case Gate(arg, on):
                return make(arg, 0).gate(on=make(on, 1))
            case Report(arg, catch):
                term = make(arg, 0)
                return term.catch().map(report) if catch else term.state().map(report)
            case Every(args, None):
                return all(make_all(args)).map(zero)
            case Every(args, labels):
                return all(dict(zip(labels or (), make_all(args), strict=True))).map(zero)
            case Sum(args):
                return seq(make_all(args)).map(total)
            case _:
                assert_never(expr)

    def _each(self, expr: Each, place: Path, env: tuple[Current[Value], ...]) -> Current[Value]:
        if isinstance(expr.items, int):
            items = self._lists[expr.items]
        else:
            items = self._make(expr.items, (*place, 0), env).map(below)
        body = self._body(place, expr.body, env)
        key = key_of if expr.has_key else None
        if expr.collect:
            return items.list_map(body, key=key).map(total)
        return items.list_iter(body, key=key).map(zero)

    def _recorded(self, place: Path, fn: Callable[[str], str]) -> Callable[[str], str]:
        def recorded(message: str) -> str:
            self.calls[place, (message,)] += 1
            return fn(message)

        return recorded

    def _function(self, place: Path, add: int) -> Callable[..., Value]:
        def function(*values: Value) -> Value:
            self.calls[place, values] += 1
            return add_up(add, values)

        return function

    def _primitive(self, place: Path, add: int) -> Callable[..., Primitive[Value]]:
        def function(*values: Value) -> Primitive[Value]:
            self.calls[place, values] += 1
            return Fixed(outcome_of_component(add, values))

        return function

    def _decision(
        self,
        place: Path,
        branches: tuple[Expr, ...],
        inputs: int,
        env: tuple[Current[Value], ...],
    ) -> Callable[..., Current[Value]]:
        def decide(*values: Value) -> Current[Value]:
            self.calls[place, values] += 1
            branch, chosen = choose(branches, values)
            value = constant((values[0][0],))
            return self._make(chosen, (*place, inputs + branch), (value, *env))

        return decide

    def _body(
        self, place: Path, body: Expr, env: tuple[Current[Value], ...]
    ) -> Callable[[Current[Value]], Current[Value]]:
        def function(item: Current[Value]) -> Current[Value]:
            if not isinstance(item.shape, Placeholder):
                self.calls[place, "item"] += 1
            return self._make(body, (*place, 1), (item, *env))

        return function


def choose(branches: tuple[Expr, ...], values: Sequence[Value]) -> tuple[int, Expr]:
    """Which branch of a bind is taken; may raise."""
    branch = add_up(0, values)[0] % len(branches)
    return branch, branches[branch]


# What it should amount to


@dataclass
class Naive:
    """All of a program at one moment."""

    definitions: list[Expr]
    numbers: list[Output[Value]]
    lists: list[Output[tuple[Value, ...]]]

    def __post_init__(self) -> None:
        # By path: the outcome of all that is needed, ...
        self.outputs: dict[Path, Output[Value]] = {}
        # ... what each function gets, ...
        self.applied: dict[Path, tuple[Output[Any], ...]] = {}
        # ... the state of each stage, ...
        self.states: dict[Path, State] = {}
        # ... the lists and options without items, ...
        self.empty: dict[Path, Expr] = {}
        # ... and what only passes on an outcome that arose further below.
        self.passing: set[Path] = set()
        self._parts: list[list[Output[Value]]] = [[]]
        last = len(self.definitions) - 1
        self.output = self._eval(self.definitions[last], (last,), ())

    def new_calls(self, before: "Naive | None") -> Counter[tuple[Path, object]]:
        """The calls there should be: where what a function gets is not what it was before."""
        calls: Counter[tuple[Path, object]] = Counter()
        for path, inputs in self.applied.items():
            known = [output.value for output in inputs if isinstance(output, Ok)]
            same = before is not None and before.applied.get(path) == inputs
            if len(known) == len(inputs) and not same:
                calls[place_of(path), known[0] if known == ["item"] else tuple(known)] += 1
        return calls

    def stats(self) -> Stats:
        counts = Counter(self.states.values())
        shown: set[Path] = set()
        for path, body in self.empty.items():
            self._show(body, (*path, ("example",), 1), shown)
        counts[State.BLOCKED] += len(shown)
        return Stats(*[counts[state] for state in State])

    def _eval(self, expr: Expr, path: Path, env: tuple[Output[Value], ...]) -> Output[Value]:
        known = self.outputs.get(path)
        if known is None:
            self._parts.append([])
            known = self.outputs[path] = self._eval_new(expr, path, env)
            parts = self._parts.pop()
            # A function behind those of these kinds makes a number of what they come to.
            mapped = isinstance(expr, Each | Every | Sum | Option)
            if mapped or any(part is known for part in parts):
                self.passing.add(path)
        self._parts[-1].append(known)
        return known

    def _named(
        self, names: Sequence[str], parts: Sequence[tuple[Expr, Path]]
    ) -> Failed | Active | None:
        """Why not all of these, which have been evaluated, are known, with the names of those
        that failed: not of one that fails only because another of them does.
        """
        places = [(part.definition,) if isinstance(part, Shared) else at for part, at in parts]
        outputs = [self.outputs[place] for place in places]
        roots = {id(self.outputs[place]) for place in places if place not in self.passing}
        failed = {
            name: output.message
            for name, place, output in zip(names, places, outputs, strict=True)
            if isinstance(output, Failed) and (place not in self.passing or id(output) not in roots)
        }
        if not failed:
            return combine(outputs)
        reasons = set(failed.values())
        reason = f": {reasons.pop()}" if len(reasons) == 1 else ""
        return Failed(f"{', '.join(failed)} failed{reason}")

    def _eval_new(self, expr: Expr, path: Path, env: tuple[Output[Value], ...]) -> Output[Value]:
        def evaluate(part: Expr, index: int) -> Output[Value]:
            return self._eval(part, (*path, index), env)

        def evaluate_all(parts: tuple[Expr, ...]) -> tuple[Output[Value], ...]:
            return tuple([evaluate(part, index) for index, part in enumerate(parts)])

        match expr:
            case Just(output):
                return output
            case Read(var):
                self.states[("number", var),] = own_state(self.numbers[var])
                return self.numbers[var]
            case Shared(definition):
                return self._eval(self.definitions[definition], (definition,), ())
            case Local(depth):
                return env[depth]
            case Map(add, args):
                inputs = self.applied[path] = evaluate_all(args)
                return apply(inputs, lambda values: Ok(add_up(add, values)))
            case MapError(arg):
                output = evaluate(arg, 0)
                if not isinstance(output, Failed):
                    self.applied[path] = (Active(Activity.READY),)
                    return output
                self.applied[path] = (Ok(output.message),)
                return Failed(shorten(output.message))
            case Component(add, args):
                inputs = self.applied[path] = evaluate_all(args)
                output = apply(inputs, lambda values: outcome_of_component(add, values))
                blocked = combine(inputs) is not None
                self.states[path] = State.BLOCKED if blocked else own_state(output)
                return output
            case Bind():
                return self._bind(expr, path, env, evaluate_all(expr.args))
            case Each():
                return self._each(expr, path, env)
            case Option(arg, body):
                return self._option(evaluate(arg, 0), body, path, env)
            case Gate(arg, on):
                value, gate = evaluate(arg, 0), evaluate(on, 1)
                return combine((value, gate)) or value
            case Report(arg, catch):
                output = evaluate(arg, 0)
                return output if catch and isinstance(output, Active) else Ok(report(output))
            case Every(args, labels):
                outputs = evaluate_all(args)
                if labels is None:
                    return combine(outputs) or Ok((0,))
                parts = [(arg, (*path, index)) for index, arg in enumerate(args)]
                return self._named(labels, parts) or Ok((0,))
            case Sum(args):
                return apply(evaluate_all(args), lambda values: Ok(total(values)))
            case _:
                assert_never(expr)

    def _bind(
        self,
        expr: Bind,
        path: Path,
        env: tuple[Output[Value], ...],
        inputs: tuple[Output[Value], ...],
    ) -> Output[Value]:
        self.applied[path] = inputs

        def follow(values: Sequence[Value]) -> Output[Value]:
            branch, chosen = choose(expr.branches, values)
            state.append(State.OK)
            inside = (*path, ("for", *values), len(inputs) + branch)
            return self._eval(chosen, inside, (Ok(values[0]), *env))

        state: list[State] = []
        output = apply(inputs, follow)
        if expr.name is not None:
            refused = State.BLOCKED if combine(inputs) is not None else State.FAILED
            self.states[path] = state[0] if state else refused
        return output

    def _each(self, expr: Each, path: Path, env: tuple[Output[Value], ...]) -> Output[Value]:
        items: Output[tuple[Value, ...]]
        if isinstance(expr.items, int):
            items = self.lists[expr.items]
            self.states[("list", expr.items),] = own_state(items)
        else:
            number = self._eval(expr.items, (*path, 0), env)
            items = Ok(below(number.value)) if isinstance(number, Ok) else number
        if not isinstance(items, Ok) or not items.value:
            self.empty[path] = expr.body
        if not isinstance(items, Ok):
            return items
        keys = [key_of(item) if expr.has_key else item for item in items.value]
        values: list[Value] = []
        parts: list[tuple[Expr, Path]] = []
        for key, item in zip(keys, items.value, strict=True):
            inside = (*path, ("item", key))
            self.applied[inside] = (Ok("item"),)
            parts.append((expr.body, (*inside, 1)))
            output = self._eval(expr.body, (*inside, 1), (Ok(item), *env))
            if isinstance(output, Ok):
                values.append(output.value)
        absent = self._named([str(key) for key in keys], parts)
        return absent or Ok(total(values) if expr.collect else (0,))

    def _option(
        self, option: Output[Value], body: Expr, path: Path, env: tuple[Output[Value], ...]
    ) -> Output[Value]:
        if not isinstance(option, Ok) or option.value == (0,):
            self.empty[path] = body
            return Ok((3,)) if isinstance(option, Ok) else option
        inside = (*path, ("some",))
        self.applied[inside] = (Ok("item"),)
        return self._eval(body, (*inside, 1), (option, *env))

    def _show(self, expr: Expr, path: Path, shown: set[Path]) -> None:
        """The stages in an example, without what lives; lists within it show none of theirs, as
        all lists of these programs have the same function.
        """
        match expr:
            case Just() | Local():
                pass
            case Read(var):
                if (stage := (("number", var),)) not in self.states:
                    shown.add(stage)
            case Shared(definition):
                if (definition,) not in self.outputs:
                    self._show(self.definitions[definition], (definition,), shown)
            case Map(_, args) | Every(args, _) | Sum(args):
                self._show_all(args, path, shown)
            case Component(_, args):
                shown.add(path)
                self._show_all(args, path, shown)
            case Bind(args, _, name):
                if name is not None:
                    shown.add(path)
                self._show_all(args, path, shown)
            case MapError(arg) | Option(arg, _) | Report(arg, _):
                self._show(arg, (*path, 0), shown)
            case Gate(arg, on):
                self._show_all((arg, on), path, shown)
            case Each(items):
                if not isinstance(items, int):
                    self._show(items, (*path, 0), shown)
                elif (stage := (("list", items),)) not in self.states:
                    shown.add(stage)
            case _:
                assert_never(expr)

    def _show_all(self, args: tuple[Expr, ...], path: Path, shown: set[Path]) -> None:
        for index, arg in enumerate(args):
            self._show(arg, (*path, index), shown)


def place_of(path: Path) -> Path:
    """The place in the program, for whatever it was made."""
    return tuple([part for part in path if isinstance(part, int)])


def combine(outputs: Sequence[Output[Any]]) -> Failed | Active | None:
    """Why not all are known."""
    absent = [output for output in outputs if not isinstance(output, Ok)]
    return max(absent, key=lambda output: isinstance(output, Failed), default=None)


def apply(
    inputs: Sequence[Output[Value]], fn: Callable[[Sequence[Value]], Output[Value]]
) -> Output[Value]:
    absent = combine(inputs)
    if absent is not None:
        return absent
    try:
        return fn([output.value for output in inputs if isinstance(output, Ok)])
    except Failure as failure:
        return Failed(str(failure))


def own_state(output: Output[Any]) -> State:
    match output:
        case Ok():
            return State.OK
        case Failed():
            return State.FAILED
        case Active(Activity.RUNNING):
            return State.RUNNING
        case Active(Activity.READY):
            return State.READY
        case Active():
            return State.WAITING_FOR_CONFIRMATION
