"""The health of a stage: since when and from which change it has been failing or well, and how
steady that is. Computed from the records when somebody asks.

A stage has a *verdict* for each run that it has used and that left a result of the work. Attempts
that were not final have none, nor have runs that a person has cancelled.

A run *flips* if its key failed before and passes now, or the other way round, and nothing has
changed between: it was tried again, somebody asked for it, or it was interrupted. Then the work, or
what it stands on, is flaky. An expired result is another matter: the world outside may be another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum

from msgspec import Struct, field

from pycurrent.cache.cause import (
    Asked,
    Cause,
    Interrupted,
    MachineFailed,
    ResultLost,
    Retried,
    Unreadable,
    cause_of,
    retry_of,
)
from pycurrent.cache.codec import UnreadableValue
from pycurrent.engine.clock import instant
from pycurrent.explain.sentences import told
from pycurrent.store import ChangeRecord, DatabaseReader, JobEnd, JobRecord, RunRecord

RECENT = 20
"""So many verdicts of a stage, and results of a key, are looked at for flips."""
_LOOKED_AT = 100
_LOOKED_AT_MOST = 1000
"""Runs of a stage that are looked at to find since when it is as it is: first, which takes 0.4 ms,
and if need be, which takes 3 ms.
"""
MOST_TOLD = 3
"""Flips that are told in words, at most."""

_NO_CHANGE = (Asked, Interrupted, MachineFailed, ResultLost, Retried, Unreadable)


class HealthState(Enum):
    """How a stage is, and has been."""

    NEW = "new"
    """It fails, by its last verdict only: it was well before, or has not been run before."""
    STILL = "still"
    """It fails, by more than one verdict in a row."""
    FIXED = "fixed"
    """It is well, by its last verdict only: it failed before."""
    FLAKY = "flaky"
    """It fails or is well, and its key has flipped; or it is well, and one of its last keys has."""
    WELL = "well"
    """It is well, by more than one verdict in a row or by its only one."""
    UNKNOWN = "unknown"
    """It has no verdict: no run of it has ended, or none is recorded."""


class Flip(Struct, frozen=True):
    """A run that failed and one that passed for one key, in either order, without a change."""

    failed: str
    """The ids of their jobs."""
    passed: str
    at: datetime
    """When the later one ended."""

    def __str__(self) -> str:
        return f"job {self.failed} failed and job {self.passed} passed for one key and no change"


class StageHealth(Struct, frozen=True, kw_only=True):
    """Since when and from which change a stage has been failing or well."""

    stage: str
    """Its path."""
    state: HealthState
    is_failing: bool = field(name="failing")
    since: datetime | None = None
    """When its first verdict in a row that is the same ended, or when it came to use that run."""
    job: str | None = None
    """The job of that verdict."""
    changes: tuple[ChangeRecord, ...] = ()
    """The changes that this job follows from, the newest first."""
    before: str | None = None
    """The job of the verdict before, which was otherwise; None if none is recorded."""
    is_longer: bool = field(default=False, name="longer")
    """It may have been so for longer: only so many runs are looked at."""
    flips: tuple[Flip, ...] = ()
    """The last ones, the newest first: also if it fails for another reason now."""

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.stage}: {self.sentence}", *(f"  {line}" for line in self._from())]
        )

    def lines(self, *, changes: bool = True) -> Iterator[str]:
        """The health for people, with the changes that it is from and the last flips; nothing if it
        is not known.
        """
        if self.since is not None:
            yield f"health: {self.sentence}"
            yield from (f"  {line}" for line in self._from(changes=changes))

    def _from(self, *, changes: bool = True) -> Iterator[str]:
        if changes:
            yield from (f"from {told(change)}" for change in self.changes)
        for flip in self.flips[:MOST_TOLD]:
            yield f"flaky: {flip}, at {instant(flip.at)}"

    @property
    def sentence(self) -> str:
        """The health in a line."""
        if self.since is None:
            return "not known, as no run of it has ended"
        since = f"since {instant(self.since)}{' or longer' if self.is_longer else ''}"
        by = f"job {self.job}"
        match self.state:
            case HealthState.NEW | HealthState.STILL:
                before = "" if self.before is None else f"; it was well until job {self.before}"
                word = "new, it fails" if self.state is HealthState.NEW else "it still fails,"
                return f"{word} {since}, {by}{before or '; it was never well before'}"
            case HealthState.FIXED:
                return f"fixed {since}, {by}; job {self.before} failed"
            case HealthState.FLAKY:
                return f"flaky, {'failing' if self.is_failing else 'well'} {since}, {by}"
            case _:
                return f"well {since}, {by}"


# Of a stage


def health_of(
    store: DatabaseReader, path: str, *, retried: str | None = None
) -> StageHealth | None:
    """The health of the stage with a path, as the records tell; None if there are none of it.

    `retried` is a job whose failure is not final, although the next attempt has not begun yet.
    """
    for limit in (_LOOKED_AT, _LOOKED_AT_MOST):
        runs = store.runs_of_stage(path, limit=limit)
        verdicts = [*_verdicts(runs, retried)]
        row = [*_in_a_row(verdicts)]
        if len(row) < len(verdicts) or len(runs) < limit:
            break
    if not runs:
        return None
    if not verdicts:
        return unknown_health(path)
    last, first = row[0], row[-1]
    of_key = flips_of_key(store, last)
    oldest = verdicts[:RECENT][-1].at
    recent = [flip for flip in flips_of(runs[:_LOOKED_AT]) if flip.at >= oldest]
    return StageHealth(
        stage=path,
        state=_state(verdicts, len(row), of_key=of_key, recent=recent),
        is_failing=not _is_ok(last),
        since=first.at,
        job=first.job_id,
        changes=tuple(store.changes_of_job(first.job_id)),
        before=verdicts[len(row)].job_id if len(row) < len(verdicts) else None,
        is_longer=len(row) == len(verdicts) and len(runs) == _LOOKED_AT_MOST,
        flips=tuple(sorted({*of_key, *recent}, key=lambda flip: flip.at, reverse=True)),
    )


def unknown_health(path: str) -> StageHealth:
    """The health of a stage of which no run has ended."""
    return StageHealth(stage=path, state=HealthState.UNKNOWN, is_failing=False)


def _state(
    verdicts: Sequence[RunRecord], in_a_row: int, *, of_key: Sequence[Flip], recent: Sequence[Flip]
) -> HealthState:
    if of_key:
        return HealthState.FLAKY
    if not _is_ok(verdicts[0]):
        return HealthState.NEW if in_a_row == 1 else HealthState.STILL
    if in_a_row == 1 and len(verdicts) > 1:
        return HealthState.FIXED
    return HealthState.FLAKY if recent else HealthState.WELL


def _verdicts(runs: Iterable[RunRecord], retried: str | None) -> Iterator[RunRecord]:
    """The runs of a stage, the newest first, that were a verdict on its work."""
    not_final = {retried}
    last = None
    for run in runs:
        is_retry = run.cause is not None and "Retried" in run.cause
        retry = retry_of(_cause(run)) if is_retry else None
        # An attempt with the number 1 follows after a restart from one that was final.
        if retry is not None and retry.attempt > 1:
            not_final.add(retry.job)
        if _is_verdict(run) and run.job_id not in not_final and run.job_id != last:
            last = run.job_id
            yield run


def _in_a_row(verdicts: Sequence[RunRecord]) -> Iterator[RunRecord]:
    """The newest verdicts that are the same."""
    for verdict in verdicts:
        if _is_ok(verdict) is not _is_ok(verdicts[0]):
            return
        yield verdict


# Of keys


def flips_of_key(store: DatabaseReader, run: RunRecord | JobRecord) -> list[Flip]:
    """The flips among the last results of a run's key and value, the newest first."""
    runs = store.runs_of_key(run.op, run.key_digest, limit=RECENT)
    return [_flip(*pair) for pair in _flips(runs) if pair[0].value_digest == run.value_digest][::-1]


def flips_of(runs: Iterable[RunRecord]) -> list[Flip]:
    """The flips among runs, the newest of a key first. Their order does not matter."""
    by_key: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        by_key.setdefault((run.op, run.key_digest), []).append(run)
    return [_flip(*pair) for of_key in by_key.values() for pair in [*_flips(of_key)][::-1]]


def _flips(runs: Iterable[RunRecord]) -> Iterator[tuple[RunRecord, RunRecord]]:
    """The runs of one key that flip, each behind the one that ended otherwise."""
    last = before = None
    has_changed = False
    for run in sorted({run.seq: run for run in runs}.values(), key=lambda run: run.seq):
        # Not all runs of a key are of one stage.
        is_next = before is None or run.build <= before.build + 1
        has_changed |= not (is_next and isinstance(_cause(run), _NO_CHANGE))
        before = run
        if not _is_verdict(run):
            continue
        if last is not None and not has_changed and _contradict(last, run):
            yield last, run
        last, has_changed = run, False


def _flip(one: RunRecord, other: RunRecord) -> Flip:
    failed, passed = (one, other) if _is_ok(other) else (other, one)
    return Flip(failed.job_id, passed.job_id, other.at)


def _contradict(one: RunRecord, other: RunRecord) -> bool:
    """True if they are of one value, and only one of them is ok."""
    return one.value_digest == other.value_digest and _is_ok(one) is not _is_ok(other)


def _is_verdict(run: RunRecord) -> bool:
    end = run.ended
    return end is not None and end.has_result and end is not JobEnd.CANCELLED


def _is_ok(run: RunRecord) -> bool:
    return run.ended is JobEnd.OK


def _cause(run: RunRecord) -> Cause | None:
    """Why it was run; None if this version can't tell, and then something may have changed."""
    try:
        return cause_of(run)
    except UnreadableValue:
        return None
