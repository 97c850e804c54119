"""The commits of strangers that stages and jobs work for, and whether people have approved them."""

from __future__ import annotations

from typing import TypeGuard

from msgspec import Struct

from pycurrent.cache import ResultCache
from pycurrent.engine import OpenEngine
from pycurrent.engine.approvals import Approval
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.term import Trust, Untrusted


class UntrustedCommit(Struct, frozen=True):
    """An untrusted commit, as it stands with its approval."""

    commit: str
    """Its whole hash."""
    source: str
    """Where it is from."""
    approval: Approval | None
    waits: bool
    """True if work waits until somebody approves it."""


class UntrustedCommits:
    """The untrusted commits of one engine. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._runs = engine.service(ResultCache).runs

    def of_stage(self, path: str) -> UntrustedCommit | None:
        """The commit that the living stage with this path works for; None if it is trusted."""
        self._engine.finish_step()
        stage = self._engine.live.find(path)
        if stage is None:
            return None
        job_id = stage.status.job_id
        job = None if job_id is None else self._runs.job(job_id)
        return self._shown(self._engine.live.ref(stage).trust, job)

    def of_job(self, job_id: str) -> UntrustedCommit | None:
        """The commit that a job works for. None if it is trusted, or has ended and no stage uses
        it now.
        """
        job = self._runs.job(job_id)
        if job is not None:
            return self._shown(job.trust, job)
        self._engine.finish_step()
        trusts = (ref.trust for ref in self._engine.live.stages_of(job_id))
        return self._shown(next(filter(_is_untrusted, trusts), None), None)

    def _shown(self, trust: Trust | None, job: DrivenJob | None) -> UntrustedCommit | None:
        waiting = None if job is None else job.unapproved
        found = waiting or trust
        if not _is_untrusted(found):
            return None
        return UntrustedCommit(
            commit=found.commit,
            source=found.source,
            approval=self._engine.approvals.get(found.commit),
            waits=waiting is not None,
        )


def _is_untrusted(trust: Trust | None) -> TypeGuard[Untrusted]:
    return isinstance(trust, Untrusted)
