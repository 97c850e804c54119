"""The stages that fail now, each with what is known of its failure.

Muted failures are not among them, nor is what only waits for a stage that has failed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress

import msgspec
from msgspec import Struct

from pycurrent.engine import OpenEngine
from pycurrent.explain.error_lines import ErrorLines
from pycurrent.explain.explainer import Explainer
from pycurrent.explain.findings import read_lines
from pycurrent.explain.health import StageHealth
from pycurrent.incr import Node
from pycurrent.service.archive import Archive
from pycurrent.service.found_stage import FoundStage, found_stage
from pycurrent.service.history import Records
from pycurrent.service.slices import in_slices
from pycurrent.store import FailureFilters, FailureRecord, all_pass, matches
from pycurrent.term import Failed, Stage, State
from pycurrent.view import EngineView

_LOOKED_AT = 2000
"""How many nodes are looked at to count what waits behind a stage."""
_LINES = 5
"""How many lines of a log tell why a job failed, at most."""


class FailingStage(Struct, frozen=True):
    """A stage that fails now."""

    stage: FoundStage
    kind: str
    """real, infra or timeout."""
    fingerprint: str | None
    """Failures with one cause have one; None if no job has failed, or nothing was recorded."""
    lines: tuple[str, ...]
    """The first lines of the log that tell why."""
    line: int | None
    """The number of the first of them in the log, from 1; None if it is not known."""
    attempts: int
    """How often its work was tried in a row."""
    health: StageHealth | None
    behind: int
    """How many stages it blocks: at least so many, if there are very many."""

    def passes(self, filters: FailureFilters) -> bool:
        """True if it passes all of these; the time is that since when it fails."""
        since, wanted = None if self.health is None else self.health.since, filters.get("since")
        return (
            filters.get("kind") in (None, self.kind)
            and (self.fingerprint or "").startswith(filters.get("fingerprint", ""))
            and ("path" not in filters or matches(self.stage.path, filters["path"]))
            and all_pass(filters.get("labels", ()), self.stage.labels)
            and (wanted is None or (since is not None and since >= wanted))
        )


class _Found(Struct, frozen=True):
    stage: FoundStage
    kind: str
    retried: str | None
    behind: int


async def failing_stages(
    engine: OpenEngine, view: EngineView, archive: Archive, *, limit: int
) -> list[FailingStage]:
    """The stages that fail now, those that have begun to last first; at most `limit`."""
    async with engine.steps_held():
        found = await in_slices(_look_at(engine, view.failed(limit)))
    return await archive.read(lambda records: [*_with_records(records, found)])


def _look_at(engine: OpenEngine, stages: Iterable[Stage]) -> Generator[None, None, list[_Found]]:
    yield from engine.live.take_in_paths()
    explainer = engine.service(Explainer)
    found = []
    for stage in stages:
        why = stage.absent
        if isinstance(why, Failed):
            shown = found_stage(stage, engine.live.ref(stage))
            retried = explainer.retried(stage)
            found.append(_Found(shown, why.kind.value, retried, behind(stage)))
        yield
    return found


def behind(stage: Stage) -> int:
    """How many stages are blocked because this one has failed."""
    count = 0
    seen: set[Node] = {stage}
    stack = [*stage.get_users()]
    while stack and len(seen) < _LOOKED_AT:
        node = stack.pop()
        if node in seen or not isinstance(node.absent, Failed):
            continue
        seen.add(node)
        count += isinstance(node, Stage) and node.state is State.BLOCKED
        stack.extend(node.get_users())
    return count


def _with_records(records: Records, found: Iterable[_Found]) -> Iterator[FailingStage]:
    for one in found:
        job = one.stage.job_id
        failure = None if job is None else records.failure(job)
        yield FailingStage(
            stage=one.stage,
            kind=one.kind if failure is None else failure.kind,
            fingerprint=None if failure is None else failure.fingerprint,
            lines=telling_lines(failure),
            line=telling_line(failure),
            attempts=1 if job is None else records.attempts(job),
            health=records.health(one.stage.path, retried=one.retried),
            behind=one.behind,
        )


def telling_lines(failure: FailureRecord | None) -> tuple[str, ...]:
    """The first lines of a job's log that tell why it failed, as they were recorded: each once."""
    found = _lines_of(failure)
    return () if found is None else tuple(dict.fromkeys(found.telling))[:_LINES]


def telling_line(failure: FailureRecord | None) -> int | None:
    """The number of the first of these lines in the log, from 1; None if it is not known."""
    found = _lines_of(failure)
    for excerpt in () if found is None else found.excerpts:
        for number, line in enumerate(excerpt.lines, excerpt.number or 0):
            if line.tells:
                return None if excerpt.number is None else number
    return None


def _lines_of(failure: FailureRecord | None) -> ErrorLines | None:
    with suppress(msgspec.MsgspecError):
        if failure is not None and failure.lines is not None:
            return read_lines(failure.lines)
    return None
