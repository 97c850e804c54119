"""Pins: stages that are inputs, held at one of the values that they have had.

A pin is an override (see `overrides.py`) whose subject is the path that the stage had when it was
pinned; it follows the stage when its path changes (see `stage_overrides.py`). It holds what this
one stage is given, and nothing else: the input is watched, read and recorded as before, other
stages that follow it go on, and once the pin ends the stage is given the newest value. A stage that
begins to follow an input finds its pin then, so that after a restart it has the value at which it
is held from the first step on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pycurrent.engine.audit import Asker
from pycurrent.engine.pinnable import LOOKED_AT, Pin, Pinnable, RecordedValue
from pycurrent.engine.tasks import failure_of
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.store import OverrideKind, OverrideRecord
from pycurrent.term import (
    Failed,
    Ok,
    Output,
    Runtime,
    Stage,
    StageRef,
    State,
    shown,
    untold_path,
    untold_paths,
)

if TYPE_CHECKING:
    from pycurrent.engine.changes import Ids
    from pycurrent.engine.open_engine import OpenEngine
    from pycurrent.engine.pin_values import PinnableStage


class NoSuchStage(UsageError):
    """No stage that is needed now has the path."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"no stage of the pipeline has the path {shown(path)}: `pycurrent client stages` lists"
            " them"
        )


class NotPinned(UsageError):
    """The stage is not pinned."""

    def __init__(self, path: str, pinned: list[str]) -> None:
        those = f"pinned are {', '.join(pinned)}" if pinned else "nothing is pinned"
        super().__init__(f"{shown(path)} is not pinned: {those}")


class Pins:
    """The pins of one engine: a service of it. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._untold: frozenset[tuple[str, ...]] = frozenset()
        """The paths that the pinned stages may have if none is told apart from its twins."""
        self._by_stage: dict[str, OverrideRecord] = {}
        """The pins by the full paths of their stages."""
        self._held: dict[str, dict[Pinnable[Any], Stage]] = {}
        """The inputs that are held now, with their stages, by the subjects of the pins. As a rule
        one of each.
        """
        self._changes: dict[str, Ids] = {}
        """The changes by which a pin is set or ends that somebody asks for."""
        self._users = 0
        """How many stages follow an input that can be pinned."""
        engine.overrides.listen(OverrideKind.PIN, self._changed)
        engine.stage_overrides.follow(OverrideKind.PIN, self._follow)
        self._look()

    # For the inputs

    def begin(self, user: Pinnable[Any], runtime: Runtime) -> None:
        """A stage begins to follow an input: from now on it is held if it is pinned."""
        user.pin = None
        self._users += 1
        # Most engines have no pins, and of the inputs of others most are not pinned.
        if not self._untold or not isinstance(runtime, Stage):
            return
        if untold_path(runtime.term) in self._untold:
            record = self._by_stage.get(self._engine.live.full_path(runtime))
            if record is None:
                record = self._engine.overrides.get(OverrideKind.PIN, str(runtime.stage))
            if record is not None:
                self._hold(user, runtime, record)

    def end(self, user: Pinnable[Any]) -> None:
        """The stage follows it no longer."""
        self._users -= 1
        self._let_go(user)

    def _let_go(self, user: Pinnable[Any]) -> None:
        pin, user.pin = user.pin, None
        if pin is not None:
            held = self._held[pin.path]
            del held[user]
            if not held:
                del self._held[pin.path]

    def recorded_of(self, input: str | None) -> Iterator[RecordedValue]:
        """The values of an input with a name, as records have them, the newest first."""
        store = self._engine.store
        found = [] if input is None else store.input_values(input, limit=LOOKED_AT)
        return (RecordedValue(v.text, v.shown or v.text, v.at, change=v.change) for v in found)

    # For people

    @property
    def are_possible(self) -> bool:
        """True if the pipeline has an input that can be pinned, or something is pinned."""
        return self._users > 0 or bool(self._untold)

    def pinnable(self) -> Iterator[str]:
        """The paths of the stages that can be pinned. Looks at all stages."""
        self._engine.finish_step()
        live = self._engine.live
        for stage in live.stages():
            followed = stage.subscription
            if followed is not None and isinstance(followed.innermost, Pinnable):
                ref = live.ref(stage)
                if ref.is_stable:
                    yield str(ref)

    def all(self) -> tuple[Pin, ...]:
        """All pins, by path: also those whose stages are not needed now."""
        return tuple(self._told(record) for record in self._records())

    def of(self, path: str) -> Pin | None:
        """The pin of a stage; None if it is not pinned."""
        record = self._record_of(path)
        return None if record is None else self._told(record)

    def _record_of(self, path: str) -> OverrideRecord | None:
        """The pin of the stage that has a path, or that had it when it was pinned."""
        for record in self._records():
            if path in self._paths_held(record):
                return record
        return self._engine.overrides.get(OverrideKind.PIN, path)

    def _paths_held(self, record: OverrideRecord) -> list[str]:
        """The present paths of the stages that a pin holds."""
        live = self._engine.live
        stages = self._held.get(record.subject, {}).values()
        return [str(live.ref(stage)) for stage in stages if stage.term in live.nodes]

    def values(self, path: str, *, limit: int = 100) -> list[RecordedValue]:
        """The values at which a stage can be held, the newest first, each once; at most `limit`.

        Raises `UsageError` if the stage can't be pinned.
        """
        return [*islice(self._find(path).values(), limit)]

    def pin(
        self,
        path: str,
        *,
        to: object | EllipsisType = ...,
        change: int | None = None,
        job: str | None = None,
        by: Asker | str | None = None,
        reason: str | None = None,
        until: datetime | None = None,
    ) -> Pin:
        """Hold a stage that is an input: at a value that it has had, or by default at the one that
        it has. In force and on disk when it returns.

        `to` is the value, or a text that names it: the text that is shown, or the beginning of one,
        such as a commit's hash. `change` is instead the number of the change by which the value
        came, and `job` the job that has made it. `until`, which is aware, is when the pin ends by
        itself. A pin that there is already is replaced.

        Raises `UsageError`, and changes nothing, if there is no such stage or value.
        """
        self._engine.thread.check("pinning a stage")
        stage = self._find(path)
        overrides = self._engine.overrides
        before = self._record_of(path)
        full = self._engine.live.full_path(stage.stage)
        if before is not None and before.stage != full and self._paths_held(before):
            raise UsageError(
                f"{path} was the path of {self._told(before).path} when that was pinned: unpin that"
                " first"
            )
        value = _chosen(stage, before, to, change, job)
        overrides.check_until(until)
        subject = path if before is None else before.subject
        self._changes[subject] = self._engine.changes.of_person(
            by, f"{path} is pinned at {value.shown}{_said(by, reason)}"
        )
        record = overrides.set(
            OverrideKind.PIN,
            subject,
            value.text,
            before=None if before is None else before.shown,
            by=by,
            reason=reason,
            until=until,
            shown=value.shown,
            job=value.job,
            stage=full,
        )
        return self._told(record)

    def unpin(self, path: str, *, by: Asker | str | None = None, reason: str | None = None) -> None:
        """End a pin: the stage is given the newest value of its input. Raises `NotPinned`."""
        self._engine.thread.check("unpinning a stage")
        record = self._record_of(path)
        if record is None:
            raise NotPinned(path, [pin.path for pin in self.all()])
        self._changes[record.subject] = self._engine.changes.of_person(
            by, f"{path} is pinned no longer{_said(by, reason)}"
        )
        self._engine.overrides.remove(OverrideKind.PIN, record.subject, by=by, reason=reason)

    def _find(self, path: str) -> PinnableStage:
        """The stage with a path, which can be pinned. Finishes a step that is unfinished."""
        from pycurrent.engine.pin_values import PinnableStage  # needed when people act

        self._engine.finish_step()
        live = self._engine.live
        stage = live.find(path)
        if stage is None:
            raise NoSuchStage(path)
        if not live.ref(stage).is_stable:
            raise UsageError(
                f"{path} can't be pinned, as only the order in which stages are built tells it"
                " from another one: give it a name="
            )
        followed = stage.subscription
        if stage.state is State.BLOCKED:
            raise UsageError(f"{path} has no value yet, as it waits for other stages: pin those")
        user = None if followed is None else followed.innermost
        if followed is None or not isinstance(user, Pinnable):
            raise UsageError(
                f"{path} can't be pinned, as it is not an input: those are monitors, Inputs, and"
                " builders with a schedule"
            )
        return PinnableStage(path, stage, followed, user)

    # Holding

    def _records(self) -> tuple[OverrideRecord, ...]:
        return self._engine.overrides.all(OverrideKind.PIN)

    def _told(self, record: OverrideRecord) -> Pin:
        for user in self._held.get(record.subject, {}):
            assert user.pin is not None
            path = next(iter(self._paths_held(record)), record.subject)
            return replace(user.pin, path=path)
        return replace(Pin.of(record), alike=tuple(self._engine.stage_overrides.alike(record)))

    def _look(self) -> None:
        records = self._records()
        self._by_stage = {record.stage: record for record in records if record.stage is not None}
        self._untold = frozenset(
            untold
            for record in records
            for untold in untold_paths(StageRef.names_in(record.stage or record.subject))
        )

    def _changed(self, path: str) -> None:
        """A pin was set, or has ended."""
        self._look()
        changes = self._changes.pop(path, None)
        self._engine.when_step_is_done(lambda: self._apply(path, changes))

    def _apply(self, path: str, changes: Ids | None) -> None:
        """Have the stages that a pin is of follow it."""
        record = self._engine.overrides.get(OverrideKind.PIN, path)
        if record is not None:
            stages = self._engine.stage_overrides.stages_of(record)
            users = _users_of(stages)
        else:
            users = {**self._held.get(path, {})}
        for user, stage in users.items():
            self._let_go(user)
            if record is not None:
                self._hold(user, stage, record)
        self._have_changed(users, changes, f"the pin of {path} has ended")

    def _follow(self, record: OverrideRecord, stages: list[Stage]) -> None:
        """These are the stages that a pin is of: the first one that has its path may be another
        than the one that is found now.
        """
        self._look()
        users, held = _users_of(stages), {**self._held.get(record.subject, {})}
        wrong = {user: stage for user, stage in held.items() if user not in users}
        missing = {user: stage for user, stage in users.items() if user not in held}
        for user in wrong:
            self._let_go(user)
        for user, stage in missing.items():
            self._let_go(user)
            self._hold(user, stage, record)
        self._have_changed({**wrong, **missing}, None, f"{record.subject} is another stage now")

    def _have_changed(
        self, users: Mapping[Pinnable[Any], Stage], changes: Ids | None, what: str
    ) -> None:
        if not users:
            return
        if changes is None:
            changes = self._engine.changes.of_end(what)
        with self._engine.changes.following_from(changes):
            for user in users:
                user.changed()
                user.pin_changed()

    def _hold(self, user: Pinnable[Any], stage: Stage, record: OverrideRecord) -> None:
        user.pin = Pin.of(record, _output(user, record))
        self._held.setdefault(record.subject, {})[user] = stage


def _users_of(stages: Iterable[Stage]) -> dict[Pinnable[Any], Stage]:
    """The inputs that stages follow, of those that can be pinned."""
    found = {}
    for stage in stages:
        user = None if stage.subscription is None else stage.subscription.innermost
        if isinstance(user, Pinnable):
            found[user] = stage
    return found


def _chosen(
    stage: PinnableStage,
    before: OverrideRecord | None,
    to: object | EllipsisType,
    change: int | None,
    job: str | None,
) -> RecordedValue:
    if sum((to is not ..., change is not None, job is not None)) > 1:
        raise UsageError("say only one of these: the value, the change, or the job")
    if change is not None:
        return stage.of_change(change)
    if job is not None:
        return stage.of_job(job)
    if to is not ...:
        return stage.named(to)
    if before is not None and before.value is not None:
        return RecordedValue(before.value, before.shown or before.value, None, job=before.job)
    return stage.present()


def _output(user: Pinnable[Any], record: OverrideRecord) -> Output[Any]:
    advice = "pin the stage again, or unpin it"
    assert record.value is not None
    if user.codec is None:
        return Failed(
            f"the value at which it is pinned can't be read back, for lack of a type: {advice}"
        )
    try:
        return Ok(user.codec.decode(record.value))
    except PycurrentError as error:
        return Failed(f"the {error}: {advice}")
    except Exception as error:  # Of a `from_json` of its author.
        why = failure_of(error, "that").message
        return Failed(f"the value at which it is pinned can't be read back: {why}: {advice}")


def _said(by: Asker | str | None, reason: str | None) -> str:
    name = by.name if isinstance(by, Asker) else by
    said = "" if name is None else f", by {name}"
    return said if reason is None else f"{said}: {reason}"
