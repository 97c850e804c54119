"""Triggers: people start something, with parameters.

A *firing* is one such start. It is on disk before the call that makes it returns, and *pending*
until its stages are final: see `firings.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic

from msgspec import Struct

from pycurrent.cache.codec import UnreadableValue
from pycurrent.cache.firings import Fired, Firings, P
from pycurrent.cache.parameters import Parameter, Parameters
from pycurrent.engine import Asker, Effect, OpenEngine, Problem, Step
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import FiringRecord
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
    shown,
)


class NoSuchTrigger(UsageError):
    """No stage of the pipeline uses a trigger with the name."""

    def __init__(self, name: str, known: list[str]) -> None:
        those = f"it uses {', '.join(map(repr, known))}" if known else "it uses none"
        super().__init__(f"the pipeline uses no trigger {name!r}: {those}")


class Trigger(Stand, Generic[P]):
    """Something that people start, with the fields of a dataclass as parameters: on a page, by the
    API, by `pycurrent client trigger`, from code.

    Engines know a trigger by its name: two with the same name are one, and have to agree on the
    dataclass.
    """

    remedy: ClassVar[Remedy] = Remedy(
        "a Trigger",
        "use one of its currents, x.get() or x.pending(), outside of the function",
        "give one of its currents, x.get() or x.pending()",
    )

    def __init__(self, name: str, params: type[P]) -> None:
        """`params` is the dataclass. Raises `UnstableType` if the database can't hold it."""
        check_text(name, "Trigger")
        if not name.strip():
            raise UsageError(f"a Trigger needs a name, not {name!r}")
        if not (isinstance(params, type) and dataclasses.is_dataclass(params)):
            what = params.__qualname__ if isinstance(params, type) else shown(params)
            raise WrongKind(f"Trigger {name!r} takes a dataclass, not {what}")
        self.name = name
        self.params: type[P] = params
        self._parameters = Parameters(name, params)
        self.typed = self._parameters.typed

    def __repr__(self) -> str:
        return f"Trigger({self.name!r}, {self.params.__qualname__})"

    def get(self) -> Current[Fired[P] | None]:
        """The newest firing, done or not; None if there has been none."""
        return component(self.name, lambda: _TriggerPrimitive(self, is_pending=False))

    def pending(self) -> Current[tuple[Fired[P], ...]]:
        """The firings whose stages are not final yet, the oldest first: for `list_map`, where each
        has to run. A firing leaves it once all stages that were built for it have succeeded or
        failed.
        """
        label = f"pending {self.name}"
        return component(label, lambda: _TriggerPrimitive(self, is_pending=True))

    @property
    def fields(self) -> tuple[Parameter, ...]:
        """The parameters, for forms."""
        return self._parameters.all()

    def text_of(self, given: Mapping[str, str]) -> str:
        """The canonical text of parameters that people have typed, each by its name. Raises
        `UsageError` for the first that is wrong, unknown, or missing.
        """
        return self._parameters.text_of(given)


class TriggerState(Struct, frozen=True):
    """A trigger that the pipeline uses, and its firings."""

    name: str
    fields: tuple[Parameter, ...]
    newest: FiringRecord | None
    pending: tuple[FiringRecord, ...]
    failure: str | None
    """Why it can't be fired; None if it can."""


class Triggers:
    """The triggers of one engine: a service of it. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._used: dict[str, UsedTrigger] = {}
        self._firings = Firings(engine.store, engine.clock)
        engine.listen(self._step_taken)

    # For its stages

    def use(self, subscription: _TriggerSubscription, trigger: Trigger[Any]) -> UsedTrigger:
        """A stage uses a trigger from now on."""
        used = self._used.get(trigger.name)
        if used is None:
            used = self._used[trigger.name] = UsedTrigger(trigger.name)
        used.uses[subscription] = trigger
        self._look(used, but=subscription)
        return used

    def leave(self, subscription: _TriggerSubscription, used: UsedTrigger) -> None:
        """It does so no more."""
        del used.uses[subscription]
        if used.uses:
            self._look(used)
        else:
            del self._used[used.name]
            self._engine.problems.clear(used.topic)

    # For people

    @property
    def are_used(self) -> bool:
        """True if the pipeline uses any."""
        return bool(self._used)

    def all(self) -> tuple[TriggerState, ...]:
        """The triggers that the pipeline uses, by name."""
        return tuple(self.state(self._used[name]) for name in sorted(self._used))

    def of_stage(self, stage: Stage) -> TriggerState | None:
        """The trigger whose firings a stage gives; None if it gives none."""
        followed = None if stage.subscription is None else stage.subscription.innermost
        return self.state(followed.used) if isinstance(followed, _TriggerSubscription) else None

    def state(self, used: UsedTrigger) -> TriggerState:
        """A trigger that is used, as it is now."""
        return TriggerState(
            name=used.name,
            fields=used.trigger.fields,
            newest=self._firings.newest(used.name),
            pending=tuple(self._firings.pending(used.name)),
            failure=used.conflict,
        )

    def fire(
        self, name: str, params: object, *, by: Asker | str | None = None, reason: str | None = None
    ) -> int:
        """Fire a trigger with parameters, an object of its dataclass; gives the firing's number.

        On disk when it returns. Raises `NoSuchTrigger`, or `UsageError` if the parameters are
        wrong; then nothing is fired.
        """
        return self._fire(name, lambda trigger: trigger.typed.codec.encode(params), by, reason)

    def fire_typed(
        self,
        name: str,
        params: Mapping[str, str],
        *,
        by: Asker | str | None = None,
        reason: str | None = None,
    ) -> int:
        """Fire it with parameters that people have typed, each by its name."""
        return self._fire(name, lambda trigger: trigger.text_of(params), by, reason)

    def fire_json(
        self, name: str, params: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> int:
        """Fire it with parameters in JSON."""
        return self._fire(name, lambda trigger: trigger.typed.text_of_json(params), by, reason)

    def _fire(
        self,
        name: str,
        text_of: Callable[[Trigger[Any]], str],
        by: Asker | str | None,
        reason: str | None,
    ) -> int:
        engine = self._engine
        engine.thread.check("firing a trigger")
        used = self._used.get(name)
        if used is None:
            raise NoSuchTrigger(name, sorted(self._used))
        if used.conflict is not None:
            raise UsageError(used.conflict)
        person = None if by is None else Asker.of(by).name
        record = self._firings.add(name, text_of(used.trigger), by=person, reason=reason)
        if by is not None:
            engine.audit.note(by, "fire", name, after=record.params, reason=reason)
        engine.commits.commit()
        self._look(used)
        return record.id

    def _step_taken(self, step: Step) -> None:
        for name in self._firings.ended_by(step):
            used = self._used.get(name)
            if used is not None:
                self._look(used)

    # Outputs

    def _look(self, used: UsedTrigger, *, but: _TriggerSubscription | None = None) -> None:
        """Find the outputs of a trigger, and tell its stages, `but` the one that asks."""
        conflict = used.conflict = _conflict(used.name, list(used.uses.values()))
        newest = self._firings.newest(used.name)
        pending = self._firings.pending(used.name)
        seen = (conflict, newest and newest.id, *(record.id for record in pending))
        if seen == used.seen:
            return
        used.seen = seen
        used.record = newest
        if conflict is not None:
            used.give(Failed(conflict), Failed(conflict), but=but)
            return
        unread: list[str] = []
        fired = [self._read(used, record, unread) for record in pending]
        self._tell(used, unread)
        read = tuple(one for one in fired if one is not None)
        used.give(_newest_of(used, newest, read), Ok(read), but=but)

    def _read(
        self, used: UsedTrigger, record: FiringRecord, unread: list[str]
    ) -> Fired[Any] | None:
        try:
            return _fired(used.trigger, record)
        except UnreadableValue as error:
            unread.append(f"firing {record.id}: the {error}")
            return None

    def _tell(self, used: UsedTrigger, unread: list[str]) -> None:
        if unread:
            message = (
                f"trigger {used.name!r} has firings that wait until their parameters can be read"
                f" again, as their type has changed: {'; '.join(unread)}"
            )
            brief = "firings can't be read"
            self._engine.problems.report(used.topic, Problem(brief, message, Effect.TOLD))
        else:
            self._engine.problems.clear(used.topic)


def _fired(trigger: Trigger[P], record: FiringRecord) -> Fired[P]:
    params = trigger.typed.codec.decode(record.params)
    return Fired(record.id, params, record.by, record.at, record.reason)


def _newest_of(
    used: UsedTrigger, newest: FiringRecord | None, read: tuple[Fired[Any], ...]
) -> Output[Any]:
    if newest is None:
        return Ok(None)
    if read and read[-1].id == newest.id:
        return Ok(read[-1])
    if isinstance(used.newest, Ok) and used.newest.value and used.newest.value.id == newest.id:
        return used.newest
    try:
        return Ok(_fired(used.trigger, newest))
    except UnreadableValue as error:
        return Failed(f"the {error}: fire the trigger again")


def _conflict(name: str, triggers: list[Trigger[Any]]) -> str | None:
    first = triggers[0]
    for other in triggers[1:]:
        if other.params is not first.params:
            types = f"{first.typed.name} and {other.typed.name}"
            return f"trigger {name!r} has two dataclasses, {types}: give one of them another name"
    return None


class UsedTrigger:
    """A trigger that stages of one engine use, with its outputs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = f"trigger {name}"
        self.uses: dict[_TriggerSubscription, Trigger[Any]] = {}
        self.conflict: str | None = None
        """How those that use the name contradict each other; None if they don't."""
        self.newest: Output[Any] = Ok(None)
        self.pending: Output[tuple[Fired[Any], ...]] = Ok(())
        self.record: FiringRecord | None = None
        """The newest firing."""
        self.seen: tuple[object, ...] | None = None

    @property
    def trigger(self) -> Trigger[Any]:
        """The trigger as the first stage that uses it has it."""
        return next(iter(self.uses.values()))

    @property
    def reading(self) -> Reading:
        # That a firing is done follows from inside: it does not change the input.
        record = self.record
        if record is None:
            return Reading(self.name, self.newest, self)
        return Reading(self.name, self.newest, self, record.by, record.reason)

    def output(self, *, is_pending: bool) -> Output[Any]:
        return self.pending if is_pending else self.newest

    def give(
        self,
        newest: Output[Any],
        pending: Output[tuple[Fired[Any], ...]],
        *,
        but: _TriggerSubscription | None,
    ) -> None:
        """Have other outputs, and tell the stages, `but` this one."""
        told = [one for one in self.uses if one is not but]
        for subscription in told:
            subscription.changes()
        self.newest, self.pending = newest, pending
        for subscription in told:
            subscription.changed()


class _TriggerPrimitive(Primitive[Any]):
    __slots__ = ("_is_pending", "_trigger")

    def __init__(self, trigger: Trigger[Any], *, is_pending: bool) -> None:
        self._trigger = trigger
        self._is_pending = is_pending

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[Any]:
        try:
            triggers = runtime.service(Triggers)
        except NoEngine:
            # Nobody has fired it where nothing runs.
            return Fixed(Ok(() if self._is_pending else None)).subscribe(runtime, changed)
        return _TriggerSubscription(
            triggers, self._trigger, runtime, changed, is_pending=self._is_pending
        )


class _TriggerSubscription(Subscription[Any]):
    def __init__(
        self,
        triggers: Triggers,
        trigger: Trigger[Any],
        runtime: Runtime,
        changed: Callable[[], None],
        *,
        is_pending: bool,
    ) -> None:
        self.changed = changed
        self._held = held_of(runtime)
        self._is_pending = is_pending
        self._triggers = triggers
        self.used = triggers.use(self, trigger)

    def changes(self) -> None:
        """The trigger is about to have other outputs."""
        for is_pending in (True, False):
            output = self.used.output(is_pending=is_pending)
            self._held.changes((self.used, is_pending), output)

    def read(self) -> tuple[Output[Any], Metadata | None]:
        output = self.used.output(is_pending=self._is_pending)
        key = (self.used, self._is_pending)
        return self._held.read_by(self.changed, key, output), None

    @property
    def is_input(self) -> bool:
        return True

    def reading(self) -> Reading:
        return self.used.reading

    def close(self) -> None:
        self._triggers.leave(self, self.used)
