"""The durable jobs that an earlier engine has left, until somebody wants them or nobody does.

A job goes on as soon as its key is to be made for the same target again. The others are ended once
it is certain that nobody will want them: each input was read or has failed, and nothing is in doubt
about the stages that have used them (see `doubts.py` in the room `term`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.tasks import in_thread
from pycurrent.term import Doubts

if TYPE_CHECKING:
    from pycurrent.engine.left_runs import LeftRun


class LeftJobs:
    """The jobs that an engine met at its start."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._left = {run.work: run for run in engine.left_runs}
        if self._left:
            engine.on_stop(self.aclose)

    def take(self, op: str, key_digest: str, target: str | None) -> LeftRun | None:
        """The job that works for a key on a target, which goes on now. One that works on another
        target is ended: its commands have to end before others may begin.
        """
        found = self._left.pop((op, key_digest), None)
        if found is None or found.record.value_digest == target:
            return found
        self._end([found])
        return None

    def look(self) -> None:
        """End those that nobody will want. After a step."""
        if not self._left:
            return
        doubts = Doubts(self._engine.live)
        if self._engine.pipeline_failed or doubts.unread():
            return
        unwanted = [run for run in self._left.values() if not self._is_in_doubt(run, doubts)]
        for run in unwanted:
            del self._left[run.work]
        self._end(unwanted)

    def _is_in_doubt(self, run: LeftRun, doubts: Doubts) -> bool:
        uses = self._engine.store.committed_uses(run.record.job_id)
        return any(doubts.about_path(use.stage) is not None for use in uses)

    def _end(self, runs: list[LeftRun]) -> None:
        for run in runs:
            self._engine.meanwhile(self._ended(run))

    async def _ended(self, run: LeftRun) -> None:
        if await in_thread(run.end):
            self._engine.remove_run(run.journal.folder, is_over=False)

    async def aclose(self) -> None:
        """End all that is left."""
        left, self._left = list(self._left.values()), {}
        for run in left:
            await self._ended(run)
