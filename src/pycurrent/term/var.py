"""Variables: inputs that code sets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from pycurrent.errors import UsageError
from pycurrent.incr import unchanged
from pycurrent.term.account import Held, held_of
from pycurrent.term.component import component
from pycurrent.term.current import Current
from pycurrent.term.given import Remedy, Stand, check_function, check_text, check_value
from pycurrent.term.output import Active, Failed, Ok, Output, unmuted
from pycurrent.term.primitive import Metadata, Primitive, Reading, Runtime, Subscription

T = TypeVar("T")


class Var(Stand, Generic[T]):
    """An input that code sets, from any thread, while any number of engines use it.

    Setting an equal value changes nothing; nor does changing the value in place and setting it
    again, as it is equal to itself then: set a copy.
    """

    remedy: ClassVar[Remedy] = Remedy(
        "a Var", "use its current, x.get(), outside of the function", "give its current, x.get()"
    )

    def __init__(self, name: str, value: T | Output[T]) -> None:
        check_text(name, "Var")
        self.name = name
        self._output: Output[T] = _output(value, f"Var {name!r}")
        self._lock = threading.Lock()
        self._listeners: dict[_VarSubscription[T], Callable[[], None]] = {}

    @property
    def identity(self) -> str:
        """Its name, which is the same in each run of the program: records and plans know the input
        by it, where the object is another one after a restart.
        """
        return self.name

    def __repr__(self) -> str:
        return f"Var({self.name!r}, {self._output!r})"

    @property
    def output(self) -> Output[T]:
        """The output that was set last. From any thread."""
        return self._output

    def get(self) -> Current[T]:
        """The current of the variable: a component that is labelled with its name."""
        return component(self.name, lambda: _Source(self))

    def set(self, value: T | Output[T]) -> None:
        """Give it another value, or an output: failed, say, or not known yet."""
        output = _output(value, f"Var {self.name!r}")
        self._change(lambda _: output)

    def update(self, fn: Callable[[T], T | Output[T]]) -> None:
        """Set it to the function of its value; raises `UsageError` if it has none."""
        check_function(fn, f"Var {self.name!r}: update")

        def change(old: Output[T]) -> Output[T]:
            if not isinstance(old, Ok):
                raise UsageError(f"variable {self.name!r} has no value to update: it is {old!r}")
            return _output(fn(old.value), fn)

        self._change(change)

    def _change(self, fn: Callable[[Output[T]], Output[T]]) -> None:
        with self._lock:
            new = fn(self._output)
            if _same(self._output, new):
                return
            listeners = list(self._listeners.values())
            for subscription in self._listeners:
                subscription.held.changes(self, self._output)
            self._output = new
        for changed in listeners:
            changed()

    def _listen(self, key: _VarSubscription[T], changed: Callable[[], None]) -> None:
        with self._lock:
            self._listeners[key] = changed

    def _forget(self, key: _VarSubscription[T]) -> None:
        with self._lock:
            self._listeners.pop(key, None)


def _output(value: T | Output[T], giver: Callable[..., Any] | str) -> Output[T]:
    output = value if isinstance(value, Ok | Failed | Active) else Ok(value)
    if isinstance(output, Ok):
        check_value(output.value, giver)
    return unmuted(output)


def _same(old: Output[T], new: Output[T]) -> bool:
    if isinstance(old, Ok) and isinstance(new, Ok):
        return unchanged(old.value, new.value)
    return old == new


class _Source(Primitive[T]):
    __slots__ = ("_var",)

    def __init__(self, var: Var[T]) -> None:
        self._var = var

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        held = held_of(runtime)
        return _VarSubscription(self._var, held, changed)


class _VarSubscription(Subscription[T]):
    def __init__(self, var: Var[T], held: Held, changed: Callable[[], None]) -> None:
        self._var = var
        self.held = held
        self._changed = changed
        var._listen(self, changed)

    def read(self) -> tuple[Output[T], Metadata | None]:
        return self.held.read_by(self._changed, self._var, self._var.output), None

    @property
    def is_input(self) -> bool:
        return True

    def reading(self) -> Reading:
        return Reading(self._var.identity, self._var.output, self._var)

    def close(self) -> None:
        self._var._forget(self)
