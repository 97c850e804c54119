"""Why a job was run, and why a stage has used it, as the records tell.

`why_recorded` answers for jobs that have ended, and for the stages that used them; the `Explainer`
in `explainer.py` for a running engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from pycurrent.cache import cause_of
from pycurrent.engine import Mute, MuteKind, MuteSubject
from pycurrent.engine.pinnable import Pin
from pycurrent.errors import UsageError
from pycurrent.explain.health import StageHealth, health_of, unknown_health
from pycurrent.explain.reasons import (
    Difference,
    FailureMuted,
    FoundAgain,
    Phase,
    Pinned,
    Ran,
    Reason,
    Reused,
)
from pycurrent.explain.sentences import sentences, told
from pycurrent.store import ChangeRecord, DatabaseReader, JobRecord, OverrideKind

NAMED = 10
"""How many stages, or jobs, are named at most."""
_USES = 20
"""How many uses of a stage are looked at to find its last job before another."""

_JOB = re.compile(r"\d{4}-\d\d-\d\d/\d{6}-")


class Why(Struct, frozen=True):
    """Why a stage is as it is, or why a job was run."""

    stage: str | None
    """The path of the stage; None if a job was asked about."""
    job: str | None
    """The job that makes or has made its result, or the one that was asked about."""
    state: str
    """The word for the state of the stage, or for how the job ended."""
    reasons: tuple[Reason, ...]
    """At least one, but for a stage whose value is constant."""
    health: StageHealth | None = None
    """Since when the stage has been failing or well; None for a job."""

    def __str__(self) -> str:
        return "\n".join([f"{self.stage or self.job}: {self.state}", *self._lines()])

    def _lines(self) -> Iterator[str]:
        for reason in self.reasons:
            yield from (f"  {line}" for line in sentences(reason))
        if self.health is not None:
            # The changes behind its job are in the reasons.
            lines = self.health.lines(changes=self.health.job != self.job)
            yield from (f"  {line}" for line in lines)


class UnknownSubject(UsageError):
    """Neither a stage nor a job that is known."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"{subject!r} is neither a stage of the pipeline nor the id of a job: stages are"
            " listed by `pycurrent client stages`, jobs by `pycurrent history`"
        )


def is_job_id(subject: str) -> bool:
    """True if a text has the form of a job's id; paths of stages can't have it as a rule."""
    return _JOB.match(subject) is not None


# From the records


def why_recorded(store: DatabaseReader, subject: str) -> Why:
    """Why a job was run, or a stage last used one, as the records tell.

    Raises `UnknownSubject`.
    """
    record = store.job(subject) if is_job_id(subject) else None
    if record is not None:
        found: tuple[Reason, ...] = (ran(store, record), *found_again(store, record))
        return Why(None, record.job_id, _end_of(record), found)
    pins = tuple(
        pinned(Pin.of(override))
        for override in store.overrides()
        if override.kind is OverrideKind.PIN and subject in (override.subject, override.stage)
    )
    uses = store.uses_by_stage(subject, limit=1)
    record = store.job(uses[0].job_id) if uses else None
    set_by_people: tuple[Reason, ...] = (*pins, *_mutes(store, subject, record))
    if record is not None:
        reasons = (*set_by_people, used(store, subject, record), *found_again(store, record))
        health = health_of(store, subject)
        return Why(subject, record.job_id, _end_of(record), reasons, health)
    if not set_by_people:
        raise UnknownSubject(subject)
    state = "pinned" if pins else "muted"
    return Why(subject, None, state, set_by_people, unknown_health(subject))


def _mutes(store: DatabaseReader, stage: str, record: JobRecord | None) -> Iterator[FailureMuted]:
    """The mutes of a stage, and of the failure of its last job."""
    failure = None if record is None else store.failures.of_job(record.job_id)
    subjects = [MuteSubject(MuteKind.PATH, stage)]
    if failure is not None:
        subjects.append(MuteSubject(MuteKind.FINGERPRINT, failure.fingerprint))
    return (muted(mute) for mute in mutes_in(store) if mute.what in subjects)


def mutes_in(store: DatabaseReader) -> list[Mute]:
    """The mutes that are in force, as the records tell."""
    return [Mute.of(found) for found in store.overrides() if found.kind is OverrideKind.MUTE]


def _end_of(record: JobRecord) -> str:
    return "not ended" if record.ended is None else record.ended.value


def pinned(pin: Pin) -> Pinned:
    """The reason that a pin is."""
    return Pinned(pin.value, pin.by, pin.at, pin.reason, pin.until)


def muted(mute: Mute, stage: str | None = None) -> FailureMuted:
    """The reason that a mute is: of the failure of a stage, or of the one that is asked about."""
    return FailureMuted(
        stage=stage,
        what=str(mute.what),
        by=mute.by,
        owner=mute.owner,
        at=mute.at,
        reason=mute.reason,
        until=mute.until,
        passes=mute.passes,
    )


def used(store: DatabaseReader, stage: str, record: JobRecord) -> Ran | Reused:
    """How a stage came to its job: it was run for it, or its result was known already."""
    finished = record.finished
    for use in store.uses_by_stage(stage, limit=1):
        if use.job_id == record.job_id and finished is not None and use.since > finished:
            return Reused(record.job_id, finished)
    return ran(store, record, stage)


def found_again(store: DatabaseReader, record: JobRecord) -> Iterator[FoundAgain]:
    """The looks at the result of a lookup that have found nothing new, if there were any."""
    look = store.look(record.job_id)
    if look is not None:
        yield FoundAgain(record.job_id, look.at, look.times)


def ran(store: DatabaseReader, record: JobRecord, stage: str | None = None) -> Ran:
    """Why a job was run: for a stage, or for the first one that has used it."""
    if stage is None:
        uses = store.uses_of_job(record.job_id)
        stage = uses[-1].stage if uses else None
    last = None if stage is None else _job_before(store, stage, record)
    return Ran(
        record.job_id,
        Phase.of(record),
        cause_of(record),
        tuple(store.changes_of_job(record.job_id)),
        None if last is None else last.job_id,
        () if last is None else tuple(differences(last, record)),
    )


def _job_before(store: DatabaseReader, stage: str, record: JobRecord) -> JobRecord | None:
    """The last job that the stage has used before this one."""
    is_before = False
    for use in store.uses_by_stage(stage, limit=_USES):
        if use.job_id == record.job_id:
            is_before = True
        elif is_before:
            return store.job(use.job_id)
    return None


def differences(old: JobRecord, new: JobRecord) -> Iterator[Difference]:
    """The fields in which the keys and values of two jobs differ."""
    if old.op != new.op:
        yield Difference("operation", old.op, new.op)
    yield from _differing("key", old.key, new.key)
    yield from _differing("value", old.value, new.value)


def _differing(name: str, old: str | None, new: str | None) -> Iterator[Difference]:
    if old == new:
        return
    before, after = _fields(old), _fields(new)
    if before is None or after is None:
        yield Difference(name, old, new)
        return
    for field in dict.fromkeys((*before, *after)):
        yield from _differing_parts(field, before.get(field), after.get(field))


def _differing_parts(name: str, old: str | None, new: str | None) -> Iterator[Difference]:
    """A field, or those of its members that differ: the paths of a tree, the variables of an
    environment.
    """
    if old == new:
        return
    before, after = (_fields(text) if text and text[0] == "{" else None for text in (old, new))
    if before is None or after is None:
        yield Difference(name, old, new)
        return
    for member in dict.fromkeys((*before, *after)):
        if before.get(member) != after.get(member):
            yield Difference(f"{name} {member}", before.get(member), after.get(member))


def _fields(text: str | None) -> dict[str, str] | None:
    """The fields of a key that is an object or a list in JSON; None for anything else."""
    if text is None or not text.startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None  # A text that only looks like it.
    items = found.items() if isinstance(found, dict) else enumerate(found, 1)
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in items
    }


class Recent(Struct, frozen=True):
    """The jobs of some time, by the changes that they follow from."""

    since: datetime
    runs: int
    """All of them."""
    changes: tuple[tuple[ChangeRecord, int], ...]
    """Each change with how many follow from it, the one with the most first. A job may follow from
    several; one that was recorded before there were changes follows from none.
    """

    def __str__(self) -> str:
        head = f"{_count(len(self.changes), 'change')} → {_count(self.runs, 'run')}"
        lines = [f"  {runs} by {told(change)}" for change, runs in self.changes]
        return "\n".join([f"{head}:" if lines else head, *lines])


class Followed(Struct, frozen=True):
    """A change, and the jobs that follow from it."""

    change: ChangeRecord
    jobs: tuple[str, ...]
    """The ids, the newest first; not all if they are many."""

    def __str__(self) -> str:
        return "\n".join([told(self.change), *(f"  job {job}" for job in self.jobs)])


def recent(store: DatabaseReader, since: datetime) -> Recent:
    """The jobs that were created from a time on, which is aware, by their changes."""
    runs, changes = store.runs_since(since)
    return Recent(since, runs, tuple(changes))


def followed(store: DatabaseReader, number: int, *, limit: int = 100) -> Followed:
    """A change by its number, and at most `limit` of the jobs that follow from it.

    Raises `UsageError` if there is none with this number.
    """
    change = store.change(number)
    if change is None:
        raise UsageError(f"no change has the number {number}: `pycurrent why --last 1d` lists them")
    return Followed(change, tuple(job.job_id for job in store.jobs_of_change(number, limit=limit)))


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
