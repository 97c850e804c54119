"""Currents and their combinators.

Terms are built at any time, without an engine, and never change. The methods of `Current` say what
they do; `term_graph` makes nodes from them.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Hashable, Iterable, Mapping
from types import FunctionType
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, overload

from pycurrent.errors import WrongKind
from pycurrent.incr import SCALARS
from pycurrent.term.context import CONTEXT
from pycurrent.term.given import (
    LAZY,
    Remedy,
    Stand,
    check_count,
    check_function,
    check_text,
    check_value,
    shown,
    wrong_current,
)
from pycurrent.term.opaque import opaque
from pycurrent.term.output import Active, Activity, Failed, Ok, Output, unmuted
from pycurrent.term.primitive import Metadata
from pycurrent.term.shape import (
    All,
    BindShape,
    Catch,
    Collapse,
    Constant,
    Context,
    Cutoff,
    Eq,
    Folded,
    Gate,
    Ignore,
    Latch,
    ListMap,
    Map,
    MapError,
    MapMany,
    MetadataOf,
    OptionMap,
    Shape,
    StateOf,
    Term,
)
from pycurrent.term.unused import MADE

T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)


@opaque
class Current(Term, Generic[T_co]):
    """A value of type T that is kept up to date: a term of a pipeline.

    The functions that you give to the methods must not block and should be pure: the engine calls
    them whenever an input has changed, and only then. If a function raises, the term fails: with
    the message of a `Failure`, or with the type and message of another exception.

    A current is not its value: to use it as one (`if`, `==`, `len`, a text made of it ...) raises
    `UsageError`, which says what to write. Currents work in sets and as keys; `is` tells whether
    two are the same.
    """

    __slots__ = ()
    remedy: ClassVar[Remedy] = Remedy(
        "a current",
        "use bind instead of map, or make the current outside of the function",
        "use the current as it is, or its value in map or bind",
    )

    def __init__(self, shape: Shape, context: Context) -> None:
        self.shape = shape
        self.context = context
        made = MADE.get()
        if made is not None:
            made.note(self)

    def __repr__(self) -> str:
        return f"<Current {type(self.shape).__name__} at {id(self):#x}>"

    def map(self, fn: Callable[[T_co], U], *, eq: Eq | None = None) -> Current[U]:
        """Apply a function to the value. A result that is equal to the last one stops there.

        Results are compared by `==` and must be of one type (or by `eq(old, new)`). If `==` fails,
        that counts as a change; if `eq` fails, the term fails. All users share the values: a
        function must not change its argument in place. It must return a value: one that returns
        a current belongs in `bind`, and a result that can be read only once (a generator, a
        coroutine) is refused.
        """
        # The first is asked here already: chains of many thousands are built from these.
        if type(fn) is not FunctionType or fn.__code__.co_flags & LAZY:
            check_function(fn, "map")
        if eq is not None:
            check_function(eq, "map(eq=)")
        return Current(Map(self, fn, eq), CONTEXT.get())

    def map_error(self, fn: Callable[[str], str]) -> Current[T_co]:
        """The same current; `fn` changes the message of its failures."""
        check_function(fn, "map_error")
        return Current(MapError(self, fn), CONTEXT.get())

    def bind(
        self,
        fn: Callable[[T_co], Current[U]],
        *,
        name: str | None = None,
        eq: Eq | None = None,
    ) -> Current[U]:
        """Decide on the rest of the pipeline from the value.

        When the value changes, the engine drops the part that the function returned for the last
        value. With a name the decision is a stage, and drawn as a box; without one the diagram
        shows it only until it is made. Prefer `map`, `list_map` or `option_map` where they
        suffice: the diagram shows those before anything has run.
        """
        _check_bind(fn, name, eq)
        return Current(BindShape((self,), fn, name, eq), CONTEXT.get())

    def state(self, *, hidden: bool = False) -> Current[Output[T_co]]:
        """The output itself as a value, also if it failed or is not known yet."""
        return Current(StateOf(self, hidden), CONTEXT.get())

    def catch(self, *, hidden: bool = False) -> Current[Ok[T_co] | Failed]:
        """The output as a value once it is known, also if it failed."""
        return Current(Catch(self, hidden), CONTEXT.get())

    def gate(self, on: Current[Any]) -> Current[T_co]:
        """The value, once `on` has succeeded. Delays what comes after, not what comes before."""
        return Current(Gate(self, _current(on, "gate(on=)")), CONTEXT.get())

    def cutoff(self, eq: Eq) -> Current[T_co]:
        """The value; a change stops here if `eq(old, new)`."""
        check_function(eq, "cutoff")
        return Current(Cutoff(self, eq), CONTEXT.get())

    def latch(self, *, infra: bool = False) -> Current[T_co]:
        """Hold the last known output, a failure too, while a new one is being made.

        With `infra` it also holds the last value while the newer output is a failure of kind INFRA:
        a listing stays while the server can't be reached, say. The diagram then shows a box that
        says so. After a restart there is nothing to hold before the first output.
        """
        return Current(Latch(self, infra), CONTEXT.get())

    def ignore(self) -> Current[None]:
        """None, once the value is known."""
        return Current(Ignore(self), CONTEXT.get())

    def collapse(self, *, key: str, value: str, input: Current[Any]) -> Current[T_co]:
        """The same, folded into one "+" box in the diagram.

        It unfolds for a viewer who sets `key` to `value`. `input` leads to the fold.
        """
        return Current(
            Collapse(self, key, value, _current(input, "collapse(input=)")), CONTEXT.get()
        )

    def list_map(
        self: Current[Iterable[T]],
        fn: Callable[[Current[T]], Current[U]],
        *,
        key: Callable[[T], Hashable] | None = None,
        label: str | None = None,
        collapse_key: str | None = None,
    ) -> Current[list[U]]:
        """Apply a sub-pipeline to each item of a list; the results in the order of the list.

        Items are told apart by `key`, or by themselves: one that stays keeps its sub-pipeline,
        and its current takes the new value if that differs. Equal items share one. Two
        different items with the same key are a failure. A failure names the items that failed,
        by their keys: "main failed: why". With `collapse_key` each item is folded in the
        diagram. The list that functions get must not be changed.
        """
        _check_each("list_map", fn, label, key=key, collapse_key=collapse_key)
        return Current(ListMap(self, fn, label, True, key, collapse_key), CONTEXT.get())

    def list_iter(
        self: Current[Iterable[T]],
        fn: Callable[[Current[T]], Current[Any]],
        *,
        key: Callable[[T], Hashable] | None = None,
        label: str | None = None,
        collapse_key: str | None = None,
    ) -> Current[None]:
        """Like `list_map`, without the results: None once all have succeeded."""
        _check_each("list_iter", fn, label, key=key, collapse_key=collapse_key)
        return Current(ListMap(self, fn, label, False, key, collapse_key), CONTEXT.get())

    def option_map(
        self: Current[T | None],
        fn: Callable[[Current[T]], Current[U]],
        *,
        label: str | None = None,
    ) -> Current[U | None]:
        """Apply a sub-pipeline to the value; None if the value is None."""
        _check_each("option_map", fn, label)
        return Current(OptionMap(self, fn, label, True), CONTEXT.get())

    def option_iter(
        self: Current[T | None],
        fn: Callable[[Current[T]], Current[Any]],
        *,
        label: str | None = None,
    ) -> Current[None]:
        """Like `option_map`, without the result."""
        _check_each("option_iter", fn, label)
        return Current(OptionMap(self, fn, label, False), CONTEXT.get())


def _current(value: Any, where: str) -> Current[Any]:
    if not isinstance(value, Current):
        raise wrong_current(value, f"{where} takes a current")
    return value


def _currents(values: Iterable[Any], where: str) -> tuple[Current[Any], ...]:
    return tuple([_current(value, where) for value in values])


def _several(values: Any, where: str) -> tuple[Current[Any], ...]:
    if isinstance(values, Stand | str | bytes) or not isinstance(values, Iterable):
        raise wrong_current(values, f"{where} takes a list of currents")
    return _currents(values, where)


def _check_eq(eq: Eq | None, where: str) -> None:
    if eq is not None:
        check_function(eq, where)


def _check_bind(fn: Callable[..., Any], name: str | None, eq: Eq | None) -> None:
    check_function(fn, "bind")
    _check_eq(eq, "bind(eq=)")
    if name is not None:
        check_text(name, "bind(name=)")


def _check_each(
    where: str,
    fn: Callable[..., Any],
    label: str | None,
    *,
    key: Callable[..., Hashable] | None = None,
    collapse_key: str | None = None,
) -> None:
    check_function(fn, where)
    check_count(fn, 1, where)
    if key is not None:
        check_function(key, f"{where}(key=)")
    if label is not None:
        check_text(label, f"{where}(label=)")
    if collapse_key is not None:
        check_text(collapse_key, f"{where}(collapse_key=)")


def constant(value: T, *, label: str | None = None) -> Current[T]:
    """A value that never changes. With a label the diagram shows it."""
    if type(value) not in SCALARS:
        check_value(value, "constant")
    if label is not None:
        check_text(label, "constant(label=)")
    return Current(Constant(Ok(value), label), CONTEXT.get())


def fail(message: str) -> Current[Any]:
    """A current that has failed, with this message."""
    check_text(message, "fail")
    return Current(Constant(Failed(message), None), CONTEXT.get())


def active(activity: Activity) -> Current[Any]:
    """A current that never gets a value, as its activity says: RUNNING, say."""
    if not isinstance(activity, Activity):
        raise WrongKind(f"active takes an Activity, not {shown(activity)}: Activity.RUNNING, say")
    return Current(Constant(Active(activity), None), CONTEXT.get())


def from_output(output: Output[T]) -> Current[T]:
    """A current with a fixed output."""
    if not isinstance(output, Ok | Failed | Active):
        raise WrongKind(
            f"from_output takes Ok(value), Failed(message) or Active(activity), not"
            f" {shown(output)}: a value is made a current by constant()"
        )
    if isinstance(output, Ok):
        check_value(output.value, "from_output")
    return Current(Constant(unmuted(output), None), CONTEXT.get())


def map(fn: Callable[..., U], *inputs: Current[Any], eq: Eq | None = None) -> Current[U]:
    """Apply a function, `fn`, to the values of all inputs; it has as many parameters.

    A result that is equal to the last one, by `==` or by `eq(old, new)`, stops the change there.
    """
    check_function(fn, "map")
    check_count(fn, len(inputs), "map")
    _check_eq(eq, "map(eq=)")
    return Current(MapMany(_currents(inputs, "map"), fn, eq), CONTEXT.get())


def bind(
    fn: Callable[..., Current[U]],
    *inputs: Current[Any],
    name: str | None = None,
    eq: Eq | None = None,
) -> Current[U]:
    """Decide on the rest of the pipeline from the values of all inputs.

    `fn` takes the values, and returns a current. With a `name` it is a box of the diagram and a
    stage; `eq` is as with `map`. For the rest see `Current.bind`.
    """
    _check_bind(fn, name, eq)
    check_count(fn, len(inputs), "bind")
    return Current(BindShape(_currents(inputs, "bind"), fn, name, eq), CONTEXT.get())


def pair(a: Current[T], b: Current[U]) -> Current[tuple[T, U]]:
    """The values of the currents a and b, as a tuple."""
    return Current(MapMany(_currents((a, b), "pair"), _as_pair, None), CONTEXT.get())


def _as_pair(a: Any, b: Any) -> tuple[Any, Any]:
    return (a, b)


def seq(currents: Iterable[Current[T]]) -> Current[list[T]]:
    """The values of all the currents, as a list."""
    return Current(All(_several(currents, "seq"), None, True), CONTEXT.get())


@overload
def all(currents: Mapping[str, Current[Any]]) -> Current[None]: ...
@overload
def all(currents: Iterable[Current[Any]]) -> Current[None]: ...
def all(currents: Mapping[str, Current[Any]] | Iterable[Current[Any]]) -> Current[None]:
    """None, once all the currents are known. With labels (a mapping) a failure names those that
    have failed.
    """
    if isinstance(currents, Mapping):
        labels = [str(label) for label in currents]
        sources = _currents(currents.values(), "all")
        return Current(All(sources, labels, False), CONTEXT.get())
    return Current(All(_several(currents, "all"), None, False), CONTEXT.get())


def option_seq(current: Current[T] | None) -> Current[T | None]:
    """The value of a current that may not be there."""
    return constant(None) if current is None else _current(current, "option_seq")


def collapse_list(
    currents: Iterable[Current[T]], *, key: str, value: str, input: Current[Any]
) -> tuple[list[Current[T]], Current[None]]:
    """Fold several currents into one "+" box of the diagram.

    Gives the currents, each leading to that box while it is folded, and the whole as one. `key`,
    `value` and `input` are as with `Current.collapse`.
    """
    members = builtins.list(_several(currents, "collapse_list"))
    whole = all(members).collapse(key=key, value=value, input=input)
    context = CONTEXT.get()
    folded: list[Current[T]] = [Current(Folded(member, whole), context) for member in members]
    return folded, whole


_PassedOn: TypeAlias = Map | MapError | Ignore | Cutoff | Gate | Collapse | Folded | StateOf | Catch
"""Shapes whose output follows from that of one term."""


def metadata(current: Current[Any]) -> Current[Metadata | None]:
    """The metadata of the component that a current comes from; None if it comes from none.

    It looks through terms that only pass on what one term gives (`map`, `gate`, `state`, `catch`).
    A term made of several (`pair`, `all`, a list) and a decision (`bind`) come from no one
    component: ask for the metadata of the component itself, within the function of the `bind`.
    """
    source: Term = _current(current, "metadata")
    while isinstance(source.shape, _PassedOn):
        source = source.shape.source
    return Current(MetadataOf(source, current), CONTEXT.get())
