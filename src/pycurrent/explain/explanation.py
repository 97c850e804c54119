"""All that explains a job, in one value: why it was run, why it has failed, since when, and how to
do the same by hand. Read from the records, so an engine need not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pycurrent.engine import MuteKind
from pycurrent.engine.clock import instant
from pycurrent.engine.follow import LogSource
from pycurrent.explain.annotations import JobAnnotations, job_annotations, markers_of
from pycurrent.explain.by_hand import ByHand, by_hand
from pycurrent.explain.error_lines import ErrorLines, Excerpt, FoundBy
from pycurrent.explain.findings import look_into, read_lines
from pycurrent.explain.health import (
    MOST_TOLD,
    Flip,
    StageHealth,
    flips_of_key,
    health_of,
    unknown_health,
)
from pycurrent.explain.reasons import FailureMuted, Reason
from pycurrent.explain.sentences import sentences
from pycurrent.explain.why import muted, mutes_in, why_recorded
from pycurrent.store import (
    DatabaseReader,
    FailureGroup,
    FailureRecord,
    JobEnd,
    JobRecord,
    StageFailing,
    TestCase,
    TestCounts,
)
from pycurrent.store.test_cases import BAD
from pycurrent.term import Failed, FailureKind

_MOST_STAGES = 20
_MOST_TESTS = 10
_MOST_ANNOTATIONS = 10
_FAILED = frozenset({JobEnd.FAILED, JobEnd.TIMED_OUT})

_HEADS = {
    FoundBy.RULE: "its log, by a log rule:",
    FoundBy.PATTERN: "its log:",
    FoundBy.END: "the end of its log:",
}


class StageExplained(Struct, frozen=True):
    """A stage that has used the job."""

    path: str
    labels: dict[str, str]
    failing: StageFailing | None
    """Since when it fails, seen from this job, if the job has failed."""
    health: StageHealth
    """Its health by now."""


class JobTests(Struct, frozen=True):
    """The tests that the job has reported."""

    counts: TestCounts
    failed: tuple[TestCase, ...]
    """The first ones that failed, without what they say at length."""


class JobExplanation(Struct, frozen=True, kw_only=True):
    """All that explains a job."""

    job: str
    op: str
    key: str
    state: str
    """How it ended, or "not ended"."""
    created: datetime
    started: datetime | None
    finished: datetime | None
    failure: str | None
    """The message of its failure."""
    kind: FailureKind | None
    """The kind of its failure."""
    reasons: tuple[Reason, ...]
    """Why it was run."""
    lines: ErrorLines | None
    """The lines of its log that tell why it failed."""
    stages: tuple[StageExplained, ...]
    """The stages that have used it, the newest use first."""
    flips: tuple[Flip, ...]
    """The last times at which its key failed and passed without a change: then it is flaky."""
    tests: JobTests | None
    """The tests that it has reported."""
    annotations: JobAnnotations
    """Its remarks on lines of files, the worst ones."""
    alike: FailureGroup | None
    """All failures with the same cause, this one too."""
    mutes: tuple[FailureMuted, ...]
    """The mutes of its failure: of its fingerprint, and of the stages that have used it."""
    by_hand: ByHand
    """How to do the same by hand, as far as its log tells it."""

    def __str__(self) -> str:
        return "\n".join(self.text)

    @property
    def text(self) -> list[str]:
        """The explanation for people, in lines."""
        parts = (
            *(_head(self), _section(self.test_lines), _section(self.annotation_lines)),
            _error_lines(self.lines),
            *(_context(self), _by_hand(self.by_hand)),
        )
        return "\n".join(chain.from_iterable(parts)).split("\n")

    @property
    def cause_lines(self) -> list[str]:
        """Why it was run, in lines for people."""
        return [line for reason in self.reasons for line in sentences(reason)]

    @property
    def test_lines(self) -> list[str]:
        """How its tests ended, and the first ones that failed, in lines for people."""
        return [] if self.tests is None else [*_told_tests(self.tests)]

    @property
    def annotation_lines(self) -> list[str]:
        """How many annotations it has, and the worst of them, in lines for people."""
        return [*_told_annotations(self.annotations)] if self.annotations.counts.total else []

    @property
    def context_lines(self) -> list[str]:
        """Since when its stages fail, and what fails alike, in lines for people."""
        return [line for line in _context(self) if line]

    def as_builtins(self) -> dict[str, Any]:
        """The explanation as JSON has it, with the text for people."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return {**found, "text": self.text}


def explain_job(store: DatabaseReader, record: JobRecord, log: LogSource | None) -> JobExplanation:
    """Explain a job by the records and its log, which may be gone. It may read a few megabytes."""
    failure, lines = _failure(store, record, log)
    kind = None
    if record.ok is False:
        kind = FailureKind.REAL if record.kind is None else FailureKind(record.kind)
    stages = tuple(_stages(store, record))
    return JobExplanation(
        job=record.job_id,
        op=record.op,
        key=record.key,
        state="not ended" if record.ended is None else record.ended.value,
        created=record.created,
        started=record.started,
        finished=record.finished,
        failure=record.outcome if record.ok is False else None,
        kind=kind,
        reasons=why_recorded(store, record.job_id).reasons,
        lines=lines,
        stages=stages,
        flips=tuple(flips_of_key(store, record)),
        tests=_tests(store, record.job_id),
        annotations=job_annotations(store, record.job_id, markers_of(log), limit=_MOST_ANNOTATIONS),
        alike=None if failure is None else _alike(store, failure),
        mutes=() if record.ok is not False else tuple(_mutes(store, stages, failure)),
        by_hand=_read_by_hand(log),
    )


def _failure(
    store: DatabaseReader, record: JobRecord, log: LogSource | None
) -> tuple[FailureRecord | None, ErrorLines | None]:
    """The failure as it was recorded. For one from before failures were: the lines as of now."""
    if record.ended not in _FAILED or record.outcome is None:
        return None, None
    failure = store.failures.of_job(record.job_id)
    if failure is not None and failure.lines is not None:
        return failure, read_lines(failure.lines)
    if log is None:
        return failure, None
    return failure, look_into(log, Failed(record.outcome), None).lines


def _tests(store: DatabaseReader, job_id: str) -> JobTests | None:
    counts = store.tests.counts(job_id)
    if counts is None:
        return None
    failed = store.tests.of_job(job_id, results=BAD, limit=_MOST_TESTS)
    return JobTests(counts, tuple([replace(case, text=None) for case in failed]))


def _stages(store: DatabaseReader, record: JobRecord) -> Iterator[StageExplained]:
    seen: set[str] = set()
    for use in store.uses_of_job(record.job_id):
        if use.stage not in seen and len(seen) < _MOST_STAGES:
            seen.add(use.stage)
            failing = None
            if record.ended in _FAILED:
                failing = store.failures.failing_since(record.job_id, use.stage)
            health = health_of(store, use.stage) or unknown_health(use.stage)
            yield StageExplained(use.stage, use.read_labels(), failing, health)


def _mutes(
    store: DatabaseReader, stages: tuple[StageExplained, ...], failure: FailureRecord | None
) -> Iterator[FailureMuted]:
    paths = {stage.path for stage in stages}
    for mute in mutes_in(store):
        is_of_stage = mute.what.kind is MuteKind.PATH
        if is_of_stage and mute.what.name in paths:
            yield muted(mute, mute.what.name)
        elif not is_of_stage and failure is not None and mute.what.name == failure.fingerprint:
            yield muted(mute)


def _alike(store: DatabaseReader, failure: FailureRecord) -> FailureGroup | None:
    groups = store.failures.groups(kind=failure.kind, fingerprint=failure.fingerprint, limit=1)
    return groups[0] if groups else None


def _read_by_hand(log: LogSource | None) -> ByHand:
    if log is not None:
        try:
            with log.open() as file:
                return by_hand(file)
        except OSError:
            pass  # It was removed just now.
    return ByHand((), ())


# In words


def _head(job: JobExplanation) -> Iterator[str]:
    kind = "" if job.kind is None or job.kind.value == job.state else f" ({job.kind.value})"
    ended = "" if job.finished is None else f" at {instant(job.finished)}"
    what = " ".join(f"{job.op} {job.key}".split())
    yield f"{job.job}: {what}: {job.state}{kind}{ended}"
    if job.failure is not None:
        yield from (f"  {line}" for line in job.failure.splitlines())
    yield from (f"  {line}" for line in job.cause_lines)


def _section(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _told_tests(tests: JobTests) -> Iterator[str]:
    yield f"tests: {tests.counts}"
    for case in tests.failed:
        said = f": {' '.join(case.message.split())}" if case.message else ""
        yield f"  {case.result.value}: {case.full_name}{said}"
    if (more := tests.counts.bad - len(tests.failed)) > 0:
        yield f"  and {more:,} more"


def _told_annotations(annotations: JobAnnotations) -> Iterator[str]:
    yield f"annotations: {annotations.counts}"
    for one in annotations.first:
        yield f"  {one.level.value}: {one}"
    if (more := annotations.counts.total - len(annotations.first)) > 0:
        yield f"  and {more:,} more"


def _error_lines(lines: ErrorLines | None) -> Iterator[str]:
    if lines is None or not lines.excerpts:
        return
    yield ""
    yield _HEADS[lines.found_by]
    for number, excerpt in enumerate(lines.excerpts):
        if number:
            yield "    ..."
        yield from _excerpt(excerpt)


def _excerpt(excerpt: Excerpt) -> Iterator[str]:
    for number, line in enumerate(excerpt.lines):
        at = "" if excerpt.number is None else f"{excerpt.number + number:,}"
        yield f"{'>' if line.tells else ' '} {at:>8} | {line.text}"


def _context(job: JobExplanation) -> Iterator[str]:
    if job.stages:
        yield ""
    for stage in job.stages:
        yield f"stage {stage.path}{_since(stage.failing)}"
        if stage.failing is None or not stage.health.is_failing:
            yield from (f"  {line}" for line in stage.health.lines())
    for mute in job.mutes:
        yield from sentences(mute)
    for flip in job.flips[:MOST_TOLD]:
        yield f"flaky: {flip}, at {instant(flip.at)}"
    if job.alike is not None and job.alike.count > 1:
        alike = job.alike
        yield (
            f"{alike.count} failures alike since {instant(alike.first)}, the newest is job"
            f" {alike.newest} (fingerprint {alike.fingerprint})"
        )
        own = {stage.path for stage in job.stages}
        others = [path for path in alike.stages if path not in own]
        if others:
            yield f"  also of {', '.join(others)}"


def _since(failing: StageFailing | None) -> str:
    if failing is None:
        return ""
    good = "never well before" if failing.last_ok is None else f"well until job {failing.last_ok}"
    fixed = "" if failing.fixed_by is None else f", fixed by job {failing.fixed_by}"
    return f": failing since {instant(failing.since)}, job {failing.since_job}; {good}{fixed}"


def _by_hand(found: ByHand) -> Iterator[str]:
    if found.files or found.commands:
        yield ""
        yield "to do the same by hand:"
        yield from (f"  {command}" for command in (*found.files, *found.commands))
