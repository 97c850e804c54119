"""Makes files again that are lost.

A job that needs them finds that out. The job that had saved them is known from the records, and so
is the instance of its result, which is made again, once, however many ask; meanwhile the result
stands for those who don't need the bytes. The job that found it out ends as one that the machine
has failed: it gives back its pool, and its instance pauses until the files are there again.

    put finds a loss ──heal──► the maker is made again ──its job ends──► the one behind it goes on
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycurrent.cache.acts import Instances
from pycurrent.cache.cause import MachineFailed
from pycurrent.cache.instance import Instance
from pycurrent.cache.runs import Runs
from pycurrent.cache.states import Known, Run
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.store import JobEnd

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.job_work import WorkingJob

_MOST = 3
"""How often a job is run again for which files were made again."""


class Makers:
    """The makers of lost files in one cache, and those that wait for them."""

    def __init__(self, engine: OpenEngine, instances: Instances, runs: Runs) -> None:
        self._store = engine.store
        self._instances = instances
        self._runs = runs
        self._found_out: dict[str, tuple[Instance, Instance]] = {}
        """The jobs that are about to end as they have found a loss, by their ids: for which
        instance each works, and who makes again what it needs.
        """
        self._behind: dict[Instance, list[Instance]] = {}
        """The instances that pause until a maker is done."""
        engine.losses.heal_by(self.heal)
        runs.on_ended(self._ended)

    def heal(self, job: WorkingJob, digest: str, what: str) -> str | None:
        """Have the maker of some files make them again, as a job has found that `what` of them is
        lost. Gives the id of the job that had saved them. None: the pipeline has no such maker.
        """
        finder = self._runs.instance(job.id)
        if finder is None or finder.run is None or _has_waited_enough(finder.run):
            return None
        for saver in self._store.saved_files.savers(digest):
            maker = self._maker(saver)
            if maker is not None and maker is not finder and maker.lose(what):
                self._found_out[job.id] = finder, maker
                return saver
        return None

    def _maker(self, job_id: str) -> Instance | None:
        """The instance whose result a job has made, or one of its later runs, if it is needed."""
        record = self._store.job(job_id)
        if record is None:
            return None
        found = self._instances.get(record.op, record.key_digest)
        return found if found is not None and found.users else None

    def _ended(self, ended: Sequence[tuple[DrivenJob, JobEnd]]) -> None:
        for job, _ in ended if self._found_out else ():
            found = self._found_out.pop(job.id, None)
            if found is not None:
                finder, maker = found
                self._behind.setdefault(maker, []).append(finder)
        for done in [one for one in self._behind if not self._is_at_work(one)]:
            for behind in self._behind.pop(done):
                behind.resume()

    def _is_at_work(self, maker: Instance) -> bool:
        return bool(maker.users) and not isinstance(maker.state, Known)


def _has_waited_enough(run: Run) -> bool:
    """True if the files were made again, and are not those that the run needs."""
    return isinstance(run.cause, MachineFailed) and run.cause.attempt > _MOST
