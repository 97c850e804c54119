"""Finds the jobs that have not ended by the stages that use them, as a history finds the others.

A job passes if one stage does that uses it, or has used it: by its path, and by the labels that it
had. Most uses are recorded; those of the last step, and of the first moments of an engine, are not
yet, and those that the job has now are in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from msgspec import Struct

from pycurrent.cache import ResultCache, Use
from pycurrent.engine import OpenEngine
from pycurrent.service.archive import Archive
from pycurrent.store import LabelFilter, UseFilter, UseRecord, labels_text

_AT_ONCE = 100
"""How many jobs are looked at before others get a turn: that takes a millisecond."""


class JobSelection(Struct, frozen=True):
    """Selects jobs by the path of a stage, or a glob, and by its labels, which all pass."""

    path: str | None = None
    labels: tuple[LabelFilter, ...] = ()

    def __bool__(self) -> bool:
        """False if it lets all jobs pass."""
        return self.path is not None or bool(self.labels)

    def __str__(self) -> str:
        named = [str(condition) for condition in self.labels]
        return ", ".join(named if self.path is None else [*named, f"the path {self.path}"])


async def select_jobs(engine: OpenEngine, archive: Archive, wanted: JobSelection) -> list[str]:
    """The ids of the jobs that have not ended and pass, the oldest first."""
    recorded: dict[str, list[UseRecord]] = {}
    for use in await archive.uses_of_unended():
        recorded.setdefault(use.job_id, []).append(use)
    passing = UseFilter(wanted.path, wanted.labels)
    runs = engine.service(ResultCache).runs
    found: list[str] = []
    async with engine.steps_held():
        for number, job_id in enumerate(runs.job_ids(), 1):
            if passing.passes([*recorded.get(job_id, ()), *_present_uses(engine, job_id)]):
                found.append(job_id)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
    return found


def _present_uses(engine: OpenEngine, job_id: str) -> Iterator[UseRecord]:
    for use in engine.service(ResultCache).runs.users(job_id):
        if isinstance(use, Use) and use.is_open:
            stage = use.stage
            yield UseRecord(job_id, str(stage), labels_text(stage.labels), engine.clock.now())
