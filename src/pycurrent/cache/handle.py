"""The jobs of the cache, as people see them and act on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pycurrent.cache.states import Known, Making, Pausing, Unknown
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.term import Active, Activity, Output

if TYPE_CHECKING:
    from pycurrent.cache.instance import Instance


@dataclass(frozen=True, slots=True)
class Handle:
    """One job of an instance, as people see it: the job handle of the engine.

    May be kept: it acts on whatever instance the key has, when the first one is forgotten.
    """

    id: str
    first: Instance

    @property
    def instance(self) -> Instance:
        return self.first.successor

    @property
    def op(self) -> str:
        return self.instance.op_type.id

    @property
    def key(self) -> str:
        return self.instance.key.text

    @property
    def description(self) -> str:
        return self.instance.description

    @property
    def job(self) -> DrivenJob | None:
        """The job itself, until it has ended."""
        run = self.instance.run
        return run.job if run is not None and run.job.id == self.id else None

    @property
    def outcome(self) -> Output[Any]:
        """What it amounts to by itself, whatever is reported meanwhile."""
        match self.instance.state:
            case Known(result):
                return result.outcome
            case Making(run):
                return Active(run.job.activity)
            case Unknown() | Pausing():
                return Active(Activity.READY)

    def rebuild(self) -> str:
        """Run it again; gives the id of the new job. While it runs it changes nothing.

        What can't be started now, since nobody needs it or because of a conflict, is run once
        it can be; then it is the id of the last job that is returned.
        """
        self._check_thread("rebuild")
        self.instance.rebuild()
        return self.instance.job_id or self.id

    def cancel(self, reason: str) -> None:
        """Cancel it, if it runs. Its outcome is a failure, which stays until a rebuild."""
        self._check_thread("cancel")
        if self.job is not None:
            self.job.cancel(reason)

    def approve(self) -> None:
        """Let it start although its level asks for confirmation. Later it does nothing."""
        self._check_thread("approve")
        if self.job is not None:
            self.job.approve()

    def _check_thread(self, call: str) -> None:
        self.first.cache.engine.thread.check(f"handle.{call}")
