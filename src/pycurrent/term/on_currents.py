"""The types of functions on currents, for type checkers only: nothing imports this when it runs.

A function on values becomes one on currents: each argument may be a value, or a current of it. No
type can say "each parameter of P, or a current of it", so the forms are written out, by how many
arguments by position may be currents:

    f(*P)              all are values, by position or by keyword
    f(a, *P1)          the first is a value or a current, the rest are values
    f(a, b, *P2)       ...

The checker finds `A`, `P1`, `B`, `P2` ... from the function itself, which must match all forms of a
`Work` or a `Source` at once. So names, defaults and keywords are kept, and a wrong type, an unknown
keyword, a missing or surplus argument are errors. Types can't tell these, in mypy as in pyright:

- A current by keyword: give it by position. The values of a publisher, which are keywords, are
  either all values, or all currents, of which only that is checked: `constant` makes one.
- With `name=` the arguments by position are checked, but none is missed.
- From the sixth parameter on only values are taken.
"""

from __future__ import annotations

from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from pycurrent.term.current import Current
from pycurrent.term.primitive import Primitive

P = ParamSpec("P")
P1 = ParamSpec("P1")
P2 = ParamSpec("P2")
P3 = ParamSpec("P3")
P4 = ParamSpec("P4")
P5 = ParamSpec("P5")
A = TypeVar("A", contravariant=True)  # noqa: PLC0105
B = TypeVar("B", contravariant=True)  # noqa: PLC0105
C = TypeVar("C", contravariant=True)  # noqa: PLC0105
D = TypeVar("D", contravariant=True)  # noqa: PLC0105
E = TypeVar("E", contravariant=True)  # noqa: PLC0105
V = TypeVar("V", covariant=True)  # noqa: PLC0105
X = TypeVar("X")
Arg: TypeAlias = X | Current[X]


# The functions on values of components.


class Source0(Protocol[P, V]):
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Primitive[V]: ...


class Source1(Protocol[P, A, P1, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Primitive[V]: ...


class Source2(Protocol[P, A, P1, B, P2, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs) -> Primitive[V]: ...


class Source3(Protocol[P, A, P1, B, P2, C, P3, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(
        self, a: A, b: B, c: C, /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Primitive[V]: ...


class Source4(Protocol[P, A, P1, B, P2, C, P3, D, P4, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(
        self, a: A, b: B, c: C, /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Primitive[V]: ...
    @overload
    def __call__(
        self, a: A, b: B, c: C, d: D, /, *args: P4.args, **kwargs: P4.kwargs
    ) -> Primitive[V]: ...


class Source5(Protocol[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(self, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs) -> Primitive[V]: ...
    @overload
    def __call__(
        self, a: A, b: B, c: C, /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Primitive[V]: ...
    @overload
    def __call__(
        self, a: A, b: B, c: C, d: D, /, *args: P4.args, **kwargs: P4.kwargs
    ) -> Primitive[V]: ...
    @overload
    def __call__(
        self, a: A, b: B, c: C, d: D, e: E, /, *args: P5.args, **kwargs: P5.kwargs
    ) -> Primitive[V]: ...


# The functions on currents that become of them.


class Named(Protocol):
    """Has the name of the function that it was made of."""

    __name__: str


class OnCurrents0(Named, Protocol[P, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, *, name: str, **rest: Any) -> Current[V]: ...


class OnCurrents1(Named, Protocol[P, A, P1, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], /, *args: P1.args, **kwargs: P1.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A] = ..., /, *, name: str, **rest: Any) -> Current[V]: ...


class OnCurrents2(Named, Protocol[P, A, P1, B, P2, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], /, *args: P1.args, **kwargs: P1.kwargs) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A] = ..., b: Arg[B] = ..., /, *, name: str, **rest: Any
    ) -> Current[V]: ...


class OnCurrents3(Named, Protocol[P, A, P1, B, P2, C, P3, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], /, *args: P1.args, **kwargs: P1.kwargs) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A] = ..., b: Arg[B] = ..., c: Arg[C] = ..., /, *, name: str, **rest: Any
    ) -> Current[V]: ...


class OnCurrents4(Named, Protocol[P, A, P1, B, P2, C, P3, D, P4, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], /, *args: P1.args, **kwargs: P1.kwargs) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], d: Arg[D], /, *args: P4.args, **kwargs: P4.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self,
        a: Arg[A] = ...,
        b: Arg[B] = ...,
        c: Arg[C] = ...,
        d: Arg[D] = ...,
        /,
        *,
        name: str,
        **rest: Any,
    ) -> Current[V]: ...


class OnCurrents5(Named, Protocol[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], /, *args: P1.args, **kwargs: P1.kwargs) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], d: Arg[D], /, *args: P4.args, **kwargs: P4.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self,
        a: Arg[A],
        b: Arg[B],
        c: Arg[C],
        d: Arg[D],
        e: Arg[E],
        /,
        *args: P5.args,
        **kwargs: P5.kwargs,
    ) -> Current[V]: ...
    @overload
    def __call__(
        self,
        a: Arg[A] = ...,
        b: Arg[B] = ...,
        c: Arg[C] = ...,
        d: Arg[D] = ...,
        e: Arg[E] = ...,
        /,
        *,
        name: str,
        **rest: Any,
    ) -> Current[V]: ...


class ComponentForm(Protocol):
    """The decorator that `@component(...)` is."""

    @overload
    def __call__(
        self, fn: Source5[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]
    ) -> OnCurrents5[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]: ...
    @overload
    def __call__(
        self, fn: Source4[P, A, P1, B, P2, C, P3, D, P4, V]
    ) -> OnCurrents4[P, A, P1, B, P2, C, P3, D, P4, V]: ...
    @overload
    def __call__(
        self, fn: Source3[P, A, P1, B, P2, C, P3, V]
    ) -> OnCurrents3[P, A, P1, B, P2, C, P3, V]: ...
    @overload
    def __call__(self, fn: Source2[P, A, P1, B, P2, V]) -> OnCurrents2[P, A, P1, B, P2, V]: ...
    @overload
    def __call__(self, fn: Source1[P, A, P1, V]) -> OnCurrents1[P, A, P1, V]: ...
    @overload
    def __call__(self, fn: Source0[P, V]) -> OnCurrents0[P, V]: ...
