"""Inputs that people set: values that an engine keeps in its database.

An `Input` says which value there is and what type it has; the value itself is each engine's own. It
is the default until somebody sets another one. A value that was set is kept as text, by the codec
of the type: if the type has changed so that the text can't be read any more, the input is a failure
until it is set again, since falling back to the default would undo what somebody has asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct

from pycurrent.cache.codec import UnreadableValue
from pycurrent.cache.typed import Typed, plain
from pycurrent.engine import Asker, OpenEngine
from pycurrent.engine.pinnable import Pinnable, RecordedValue
from pycurrent.engine.pins import Pins
from pycurrent.engine.value_codec import ValueCodec
from pycurrent.errors import UsageError
from pycurrent.store import OverrideKind
from pycurrent.term import (
    Current,
    Failed,
    Fixed,
    Metadata,
    NoEngine,
    Ok,
    Output,
    Primitive,
    Reading,
    Remedy,
    Runtime,
    Stage,
    Stand,
    Subscription,
    check_text,
    component,
    held_of,
)

T = TypeVar("T")


class NoSuchInput(UsageError):
    """No stage of the pipeline uses an input with the name."""

    def __init__(self, name: str, known: list[str]) -> None:
        those = f"it uses {', '.join(map(repr, known))}" if known else "it uses none"
        super().__init__(f"the pipeline uses no input {name!r}: {those}")


class Input(Stand, Generic[T]):
    """A value that people set: on a page, by the API, by `pycurrent client set`, from code.

    `type` is anything that may stand in an annotation and has a stable form; without it the value
    has the type of the default. Engines know an input by its name: two with the same name are one,
    and have to agree on type and default.
    """

    remedy: ClassVar[Remedy] = Remedy(
        "an Input", "use its current, x.get(), outside of the function", "give its current, x.get()"
    )

    # `object`: a type as annotations have it is of no type that a checker knows.
    def __init__(self, name: str, default: T, *, type: object = None) -> None:
        """Raises `UnstableType` or `UnstableValue` if the database can't hold its values."""
        check_text(name, "Input")
        if not name.strip():
            raise UsageError(f"an Input needs a name, not {name!r}")
        self.name = name
        self.default = default
        self.type: object = default.__class__ if type is None else type
        if self.type is None.__class__:
            raise UsageError(
                f"the default of input {name!r}, None, does not tell its type: give it one, such as"
                " type=str | None"
            )
        self.typed: Typed[T] = Typed.of(self.type, what=f"value of input {name!r}")
        self.default_text = self.typed.codec.encode(default)

    def __repr__(self) -> str:
        return f"Input({self.name!r}, {self.default!r})"

    @property
    def type_name(self) -> str:
        """The type, as people write it."""
        return self.typed.name

    def get(self) -> Current[T]:
        """The current of the input: a stage that is labelled with its name."""
        return component(self.name, lambda: _InputPrimitive(self))


class InputState(Struct, frozen=True):
    """An input that the pipeline uses, and what it is set to."""

    name: str
    type: str
    """As people write it."""
    value: str
    """Its value as JSON: that which was set, or the default."""
    is_set: bool
    """False if it has its default."""
    by: str | None
    at: datetime | None
    reason: str | None
    """The person who has set it, the time, and the reason."""
    failure: str | None
    """Why it has no value; None if it has one."""

    @property
    def plain(self) -> str:
        """Its value as somebody would type it."""
        return plain(self.value)


class Inputs:
    """The inputs of one engine: a service of it. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._used: dict[str, UsedInput[Any]] = {}

    def use(self, subscription: _InputSubscription[T], input: Input[T]) -> UsedInput[T]:
        """A stage uses an input from now on."""
        used = self._used.get(input.name)
        if used is None:
            used = self._used[input.name] = UsedInput(input.name, self._engine)
        used.uses[subscription] = input
        used.look(but=subscription)
        return used

    def leave(self, subscription: _InputSubscription[Any], used: UsedInput[Any]) -> None:
        """It does so no more."""
        del used.uses[subscription]
        if used.uses:
            used.look()
        else:
            del self._used[used.name]

    @property
    def are_used(self) -> bool:
        """True if the pipeline uses any."""
        return bool(self._used)

    def all(self) -> tuple[InputState, ...]:
        """The inputs that the pipeline uses, by name."""
        return tuple(self._used[name].state for name in sorted(self._used))

    def of_stage(self, stage: Stage) -> InputState | None:
        """The input that a stage gives; None if it gives none."""
        followed = None if stage.subscription is None else stage.subscription.innermost
        return followed.state if isinstance(followed, _InputSubscription) else None

    def set(
        self, name: str, value: object, *, by: Asker | str | None = None, reason: str | None = None
    ) -> InputState:
        """Set an input to a value of its type, from the next step on.

        Raises `NoSuchInput`, or `UsageError` if the value is not of the type; then nothing changes.
        """
        return self._set(name, lambda found: found.typed.codec.encode(value), by, reason)

    def set_text(
        self, name: str, text: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> InputState:
        """Set it to what somebody has typed."""
        return self._set(name, lambda found: found.typed.text_of(text), by, reason)

    def set_json(
        self, name: str, text: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> InputState:
        """Set it to a value in JSON."""
        return self._set(name, lambda found: found.typed.text_of_json(text), by, reason)

    def _set(
        self,
        name: str,
        text_of: Callable[[Input[Any]], str],
        by: Asker | str | None,
        reason: str | None,
    ) -> InputState:
        self._engine.thread.check("setting an input")
        used = self._used.get(name)
        if used is None:
            raise NoSuchInput(name, sorted(self._used))
        if used.conflict is not None:
            raise UsageError(used.conflict)
        used.set(text_of(used.input), by, reason)
        return used.state


class UsedInput(Generic[T]):
    """An input that stages of one engine use, with its output."""

    def __init__(self, name: str, engine: OpenEngine) -> None:
        self.name = name
        self.uses: dict[_InputSubscription[T], Input[T]] = {}
        self.conflict: str | None = None
        """How those that use the name contradict each other; None if they don't."""
        self.output: Output[T]
        self._overrides = engine.overrides
        self._seen: tuple[str | None, ...] | None = None

    @property
    def input(self) -> Input[T]:
        """The input as the first stage that uses it has it."""
        return next(iter(self.uses.values()))

    @property
    def state(self) -> InputState:
        input, record = self.input, self._overrides.get(OverrideKind.INPUT, self.name)
        failure = self.output.message if isinstance(self.output, Failed) else None
        return InputState(
            name=self.name,
            type=input.type_name,
            value=self._text,
            is_set=record is not None,
            by=None if record is None else record.by,
            at=None if record is None else record.at,
            reason=None if record is None else record.reason,
            failure=failure,
        )

    @property
    def reading(self) -> Reading:
        record = self._overrides.get(OverrideKind.INPUT, self.name)
        by, reason = (None, None) if record is None else (record.by, record.reason)
        return Reading(self.name, self.output, self, by, reason, self.input.typed.codec.encode)

    @property
    def _text(self) -> str:
        record = self._overrides.get(OverrideKind.INPUT, self.name)
        if record is None or record.value is None:
            return self.input.default_text
        return record.value

    def set(self, text: str, by: Asker | str | None, reason: str | None) -> None:
        before = self._text
        self._overrides.set(
            OverrideKind.INPUT, self.name, text, before=before, by=by, reason=reason
        )
        self.look()

    def look(self, *, but: _InputSubscription[T] | None = None) -> None:
        """Find the output, and tell the stages if it is another one, `but` the one that asks."""
        self.conflict = _conflict(self.name, list(self.uses.values()))
        seen = (self._text, self.conflict)
        if seen == self._seen:
            return
        is_first, self._seen = self._seen is None, seen
        if not is_first:
            for subscription in self.uses:
                if subscription is not but:
                    subscription.changes(self.output)
        self.output = self._found()
        for subscription in self.uses:
            if subscription is not but:
                subscription.changed()

    def _found(self) -> Output[T]:
        if self.conflict is not None:
            return Failed(self.conflict)
        try:
            return Ok(self.input.typed.codec.decode(self._text))
        except UnreadableValue as error:
            return Failed(f"the {error}: set the input again")


def _conflict(name: str, inputs: list[Input[Any]]) -> str | None:
    first = inputs[0]
    for other in inputs[1:]:
        if other is first:
            continue
        advice = "give one of them another name"
        if other.type != first.type:
            types = f"{first.type_name} and {other.type_name}"
            return f"input {name!r} has two types, {types}: {advice}"
        if other.default_text != first.default_text:
            both = f"{first.default_text} and {other.default_text}"
            return f"input {name!r} has two defaults, {both}: {advice}"
    return None


class _InputPrimitive(Primitive[T]):
    __slots__ = ("_input",)

    def __init__(self, input: Input[T]) -> None:
        self._input = input

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        try:
            inputs = runtime.service(Inputs)
        except NoEngine:
            # Nobody has set it where nothing runs.
            return Fixed(Ok(self._input.default)).subscribe(runtime, changed)
        return _InputSubscription(inputs, self._input, runtime, changed)


class _InputSubscription(Pinnable[T]):
    def __init__(
        self, inputs: Inputs, input: Input[T], runtime: Runtime, changed: Callable[[], None]
    ) -> None:
        self.changed = changed
        self._held = held_of(runtime)
        self._inputs = inputs
        self._used = inputs.use(self, input)
        self._pins = runtime.service(Pins)
        self._pins.begin(self, runtime)

    def changes(self, output: Output[T]) -> None:
        """The input is about to have another output than this one."""
        self._held.changes(self._used, output)

    def read(self) -> tuple[Output[T], Metadata | None]:
        return self.held() or (
            self._held.read_by(self.changed, self._used, self._used.output),
            None,
        )

    @property
    def state(self) -> InputState:
        return self._used.state

    @property
    def is_input(self) -> bool:
        return True

    def reading(self) -> Reading:
        return self._used.reading

    @property
    def codec(self) -> ValueCodec:
        return self._used.input.typed.codec

    def present(self) -> tuple[Output[Any], str | None]:
        return self._used.output, None

    def recorded(self) -> Iterator[RecordedValue]:
        return self._pins.recorded_of(self._used.name)

    def pin_changed(self) -> None:
        """Nothing else depends on it."""

    def close(self) -> None:
        self._pins.end(self)
        self._inputs.leave(self, self._used)
