"""The types of the short forms of operations, for type checkers only. See `term/on_currents.py`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from pycurrent.engine.job import Job
from pycurrent.term import (
    Arg,
    Current,
    Named,
    OnCurrents0,
    OnCurrents1,
    OnCurrents2,
    OnCurrents3,
    OnCurrents4,
    OnCurrents5,
)

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


# The async functions of (job, key ...).


class Work0(Protocol[P, V]):
    def __call__(self, job: Job, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[V]: ...


class Work1(Protocol[P, A, P1, V]):
    @overload
    def __call__(self, job: Job, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(self, job: Job, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Awaitable[V]: ...


class Work2(Protocol[P, A, P1, B, P2, V]):
    @overload
    def __call__(self, job: Job, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(self, job: Job, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Awaitable[V]: ...


class Work3(Protocol[P, A, P1, B, P2, C, P3, V]):
    @overload
    def __call__(self, job: Job, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(self, job: Job, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, c: C, /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Awaitable[V]: ...


class Work4(Protocol[P, A, P1, B, P2, C, P3, D, P4, V]):
    @overload
    def __call__(self, job: Job, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(self, job: Job, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, c: C, /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, c: C, d: D, /, *args: P4.args, **kwargs: P4.kwargs
    ) -> Awaitable[V]: ...


class Work5(Protocol[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]):
    @overload
    def __call__(self, job: Job, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(self, job: Job, a: A, /, *args: P1.args, **kwargs: P1.kwargs) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, c: C, /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, c: C, d: D, /, *args: P4.args, **kwargs: P4.kwargs
    ) -> Awaitable[V]: ...
    @overload
    def __call__(
        self, job: Job, a: A, b: B, c: C, d: D, e: E, /, *args: P5.args, **kwargs: P5.kwargs
    ) -> Awaitable[V]: ...


# The functions on currents that become of those of publishers.


class OnValues0(Named, Protocol[P, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, **values: Current[Any]) -> Current[V]: ...
    @overload
    def __call__(self, *, name: str, **rest: Any) -> Current[V]: ...


class OnValues1(Named, Protocol[P, A, P1, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], /, *args: P1.args, **kwargs: P1.kwargs) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], /, **values: Current[Any]) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A] = ..., /, *, name: str, **rest: Any) -> Current[V]: ...


class OnValues2(Named, Protocol[P, A, P1, B, P2, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], /, *args: P2.args, **kwargs: P2.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(self, a: Arg[A], b: Arg[B], /, **values: Current[Any]) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A] = ..., b: Arg[B] = ..., /, *, name: str, **rest: Any
    ) -> Current[V]: ...


class OnValues3(Named, Protocol[P, A, P1, B, P2, C, P3, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], /, *args: P3.args, **kwargs: P3.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], /, **values: Current[Any]
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A] = ..., b: Arg[B] = ..., c: Arg[C] = ..., /, *, name: str, **rest: Any
    ) -> Current[V]: ...


class OnValues4(Named, Protocol[P, A, P1, B, P2, C, P3, D, P4, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], d: Arg[D], /, *args: P4.args, **kwargs: P4.kwargs
    ) -> Current[V]: ...
    @overload
    def __call__(
        self, a: Arg[A], b: Arg[B], c: Arg[C], d: Arg[D], /, **values: Current[Any]
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


class OnValues5(Named, Protocol[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]):
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Current[V]: ...
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
        self, a: Arg[A], b: Arg[B], c: Arg[C], d: Arg[D], e: Arg[E], /, **values: Current[Any]
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


class BuilderForm(Protocol):
    """The decorator that `@builder(...)` is."""

    @overload
    def __call__(
        self, fn: Work5[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]
    ) -> OnCurrents5[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]: ...
    @overload
    def __call__(
        self, fn: Work4[P, A, P1, B, P2, C, P3, D, P4, V]
    ) -> OnCurrents4[P, A, P1, B, P2, C, P3, D, P4, V]: ...
    @overload
    def __call__(
        self, fn: Work3[P, A, P1, B, P2, C, P3, V]
    ) -> OnCurrents3[P, A, P1, B, P2, C, P3, V]: ...
    @overload
    def __call__(self, fn: Work2[P, A, P1, B, P2, V]) -> OnCurrents2[P, A, P1, B, P2, V]: ...
    @overload
    def __call__(self, fn: Work1[P, A, P1, V]) -> OnCurrents1[P, A, P1, V]: ...
    @overload
    def __call__(self, fn: Work0[P, V]) -> OnCurrents0[P, V]: ...


class PublisherForm(Protocol):
    """The decorator that `@publisher(...)` is."""

    @overload
    def __call__(
        self, fn: Work5[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]
    ) -> OnValues5[P, A, P1, B, P2, C, P3, D, P4, E, P5, V]: ...
    @overload
    def __call__(
        self, fn: Work4[P, A, P1, B, P2, C, P3, D, P4, V]
    ) -> OnValues4[P, A, P1, B, P2, C, P3, D, P4, V]: ...
    @overload
    def __call__(
        self, fn: Work3[P, A, P1, B, P2, C, P3, V]
    ) -> OnValues3[P, A, P1, B, P2, C, P3, V]: ...
    @overload
    def __call__(self, fn: Work2[P, A, P1, B, P2, V]) -> OnValues2[P, A, P1, B, P2, V]: ...
    @overload
    def __call__(self, fn: Work1[P, A, P1, V]) -> OnValues1[P, A, P1, V]: ...
    @overload
    def __call__(self, fn: Work0[P, V]) -> OnValues0[P, V]: ...
