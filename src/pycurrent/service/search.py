"""Finds a text in all that people look for: stages, labels, jobs, failures and changes.

Living stages and jobs are looked through a little at a time, the records in a thread: so the loop
goes on, however many there are.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.cache import ResultCache
from pycurrent.engine import DrivenJob, OpenEngine
from pycurrent.explain.history import HistoryEntry
from pycurrent.service.archive import Archive
from pycurrent.service.found_stage import FoundStage, found_stage
from pycurrent.service.slices import in_slices
from pycurrent.store import SECONDS, ChangeRecord, HistoryFilter
from pycurrent.term import StageRef
from pycurrent.view import JobView, show_job

if TYPE_CHECKING:
    from pycurrent.service.history import Records
    from pycurrent.store.search import FoundFailure

SHORTEST = 2
"""How many characters a text has at least."""
_AT_ONCE = 50
"""How many stages or jobs are looked at between two stops."""


class Recorded(Struct, frozen=True):
    """The parts of the records that hold a text."""

    labels: tuple[tuple[str, str], ...] = ()
    """Names and values: branches, commits and so on."""
    jobs: tuple[HistoryEntry, ...] = ()
    failures: tuple[FoundFailure, ...] = ()
    changes: tuple[ChangeRecord, ...] = ()


class Found(Struct, frozen=True):
    """All that holds a text: of each kind at most so many as were asked for."""

    items: tuple[str, ...]
    """The paths of what lists run over: a name with the text, and stages below it."""
    stages: tuple[FoundStage, ...]
    active: tuple[JobView, ...]
    """Jobs that have not ended."""
    recorded: Recorded

    @property
    def is_empty(self) -> bool:
        """True if nothing was found."""
        return not (self.items or self.stages or self.active) and self.recorded == Recorded()


async def search(engine: OpenEngine, archive: Archive, text: str, *, limit: int) -> Found:
    """Find a text, in any case; of each kind at most `limit` results. One that is shorter than
    `SHORTEST` is not looked for.
    """
    text = " ".join(text.split())
    if len(text) < SHORTEST:
        return Found((), (), (), Recorded())
    async with engine.steps_held():
        items, stages = await in_slices(_living(engine, text.casefold(), limit))
    jobs = await in_slices(_active(engine, text.casefold(), limit))
    active = tuple([show_job(job, placed=False) for job in jobs])
    recorded = await archive.read(lambda records: _recorded(records, text, limit))
    return Found(items, stages, active, recorded)


def _living(
    engine: OpenEngine, text: str, limit: int
) -> Generator[None, None, tuple[tuple[str, ...], tuple[FoundStage, ...]]]:
    """Items, and stages."""
    yield from engine.live.take_in_paths()
    items: dict[str, None] = {}
    found: list[FoundStage] = []
    for number, stage in enumerate(engine.live.stages(), 1):
        ref = engine.live.ref(stage)
        if len(items) < limit:
            items.update(dict.fromkeys(_items(ref, text)))
        texts = (str(ref), stage.label, *ref.labels.values())
        if len(found) < limit and any(text in one.casefold() for one in texts):
            found.append(found_stage(stage, ref))
        if len(found) >= limit and len(items) >= limit:
            break
        if number % _AT_ONCE == 0:
            yield
    return tuple(items)[:limit], tuple(found)


def _items(ref: StageRef, text: str) -> list[str]:
    """The paths around a stage whose last name has the text."""
    names = ref.path[:-1]
    ends = [end for end, name in enumerate(names, 1) if text in name.casefold()]
    return [StageRef.text_of(names[:end]) for end in ends]


def _active(engine: OpenEngine, text: str, limit: int) -> Generator[None, None, list[DrivenJob]]:
    found: list[DrivenJob] = []
    for number, job in enumerate(list(engine.service(ResultCache).runs.jobs()), 1):
        if text in job.description.casefold() or text in job.id:
            found.append(job)
            if len(found) == limit:
                break
        if number % _AT_ONCE == 0:
            yield
    return found


def _recorded(records: Records, text: str, limit: int) -> Recorded:
    tables = records.searching
    ids = tables.jobs(text, limit=limit)
    named = [entry for job_id in ids if (entry := records.job(job_id)) is not None]
    page = records.page(HistoryFilter(text=text), limit=limit, seconds=SECONDS)
    jobs = {entry.job_id: entry for entry in (*named, *page.entries)}
    return Recorded(
        labels=tuple(tables.labels(text, limit=limit)),
        jobs=tuple(jobs.values())[:limit],
        failures=tuple(tables.failures(text, limit=limit)),
        changes=tuple(tables.changes(text, limit=limit)),
    )
