"""Pins: stages that are inputs, held at one of the values that they have had.

A pin is an override (see `overrides.py`) whose subject is the path of the stage. It holds what this
one stage is given, and nothing else: the input is watched, read and recorded as before, other
stages that follow it go on, and once the pin ends the stage is given the newest value. A stage that
begins to follow an input finds its pin then, so that after a restart it has the value at which it
is held from the first step on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from pycurrent.engine.audit import Asker
from pycurrent.engine.pin_values import PinnableStage
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
    State,
    shown,
    untold_path,
    untold_paths,
)

if TYPE_CHECKING:
    from pycurrent.engine.changes import Ids
    from pycurrent.engine.open_engine import OpenEngine


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
        self._held: dict[str, Pinnable[Any]] = {}
        """The inputs that are held now, by the subjects of the pins."""
        self._changes: dict[str, Ids] = {}
        """The changes by which a pin is set or ends that somebody asks for."""
        self._users = 0
        """How many stages follow an input that can be pinned."""
        engine.overrides.listen(OverrideKind.PIN, self._changed)
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
            path = str(runtime.stage)
            record = self._engine.overrides.get(OverrideKind.PIN, path)
            if record is not None:
                self._hold(user, record)

    def end(self, user: Pinnable[Any]) -> None:
        """The stage follows it no longer."""
        self._users -= 1
        self._let_go(user)

    def _let_go(self, user: Pinnable[Any]) -> None:
        if user.pin is not None and self._held.get(user.pin.path) is user:
            del self._held[user.pin.path]

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
        record = self._engine.overrides.get(OverrideKind.PIN, path)
        return None if record is None else self._told(record)

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
        before = overrides.get(OverrideKind.PIN, path)
        value = _chosen(stage, before, to, change, job)
        overrides.check_until(until)
        self._changes[path] = self._engine.changes.of_person(
            by, f"{path} is pinned at {value.shown}{_said(by, reason)}"
        )
        record = overrides.set(
            OverrideKind.PIN,
            path,
            value.text,
            before=None if before is None else before.shown,
            by=by,
            reason=reason,
            until=until,
            shown=value.shown,
            job=value.job,
        )
        return self._told(record)

    def unpin(self, path: str, *, by: Asker | str | None = None, reason: str | None = None) -> None:
        """End a pin: the stage is given the newest value of its input. Raises `NotPinned`."""
        self._engine.thread.check("unpinning a stage")
        overrides = self._engine.overrides
        if overrides.get(OverrideKind.PIN, path) is None:
            raise NotPinned(path, [record.subject for record in self._records()])
        self._changes[path] = self._engine.changes.of_person(
            by, f"{path} is pinned no longer{_said(by, reason)}"
        )
        overrides.remove(OverrideKind.PIN, path, by=by, reason=reason)

    def _find(self, path: str) -> PinnableStage:
        """The stage with a path, which can be pinned. Finishes a step that is unfinished."""
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
        return PinnableStage(path, followed, user)

    # Holding

    def _records(self) -> tuple[OverrideRecord, ...]:
        return self._engine.overrides.all(OverrideKind.PIN)

    def _told(self, record: OverrideRecord) -> Pin:
        user = self._held.get(record.subject)
        return user.pin if user is not None and user.pin is not None else Pin.of(record)

    def _look(self) -> None:
        self._untold = frozenset(
            untold for record in self._records() for untold in untold_paths(record.subject)
        )

    def _changed(self, path: str) -> None:
        """A pin was set, or has ended."""
        self._look()
        changes = self._changes.pop(path, None)
        self._engine.when_step_is_done(lambda: self._apply(path, changes))

    def _apply(self, path: str, changes: Ids | None) -> None:
        """Have the stage that a pin is of follow it."""
        record = self._engine.overrides.get(OverrideKind.PIN, path)
        user = self._held.get(path)
        if user is None and record is not None:
            stage = self._engine.live.find(path)
            followed = None if stage is None else stage.subscription
            found = None if followed is None else followed.innermost
            user = found if isinstance(found, Pinnable) else None
        if user is None:
            return
        if record is None:
            self._let_go(user)
            user.pin = None
        else:
            self._hold(user, record)
        if changes is None:
            changes = self._engine.changes.of_end(f"the pin of {path} has ended")
        with self._engine.changes.following_from(changes):
            user.changed()
            user.pin_changed()

    def _hold(self, user: Pinnable[Any], record: OverrideRecord) -> None:
        user.pin = Pin.of(record, _output(user, record))
        self._held[record.subject] = user


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
