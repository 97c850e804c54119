"""The act of people who want to know whether results are still there."""

from __future__ import annotations

from pycurrent.cache.cache import ResultCache
from pycurrent.cache.instance import Instance
from pycurrent.cache.use import Use
from pycurrent.engine.audit import Asker
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.errors import UsageError
from pycurrent.term import shown


class NothingToVerify(UsageError):
    """No stage, job or operation of this name is used now."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"{shown(subject)} is neither a stage that uses an operation, nor the last job of one,"
            " nor an operation that is used: `pycurrent client stages` lists the stages"
        )


class Verifier:
    """Has operations asked whether their results are still there: a service of the engine."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._cache = engine.service(ResultCache)

    def verify(
        self, subject: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> tuple[str, ...]:
        """Ask about the result of a stage, given by its path, that of a job, or all results of an
        operation that the pipeline uses now; gives the ids of the jobs that have made them.

        A result that is being made, a failure, and one that nobody needs are left out. A step that
        is unfinished is finished first. Raises `NothingToVerify`, or `UsageError` if the operation
        can't tell.
        """
        self._engine.thread.check("verifying results")
        self._engine.finish_step()
        instances = self._instances(subject)
        if not instances:
            raise NothingToVerify(subject)
        for instance in instances:
            if not instance.op_type.can_tell:
                raise UsageError(
                    f"operation {instance.op_type.id!r} can't tell whether its results are still"
                    " there: it has no method still_there"
                )
        asked = tuple(
            instance.job_id
            for instance in instances
            if instance.job_id is not None and instance.verify()
        )
        if by is not None:
            what = f"{len(asked)} results" if len(asked) != 1 else "1 result"
            self._engine.audit.note(by, "verify", subject, after=what, reason=reason)
        self._engine.request_step()
        return asked

    def can_verify(self, job_id: str) -> bool:
        """True if this is the last job of a result that can be asked about."""
        return any(i.op_type.can_tell and i.has_result for i in self._of_job(job_id))

    def _instances(self, subject: str) -> list[Instance]:
        stage = self._engine.live.find(subject)
        if stage is not None and stage.subscription is not None:
            use = stage.subscription.innermost
            if isinstance(use, Use):
                return [use.instance]
        return self._of_job(subject) or [
            instance
            for instance in self._cache.instances
            if instance.op_type.id == subject and instance.users
        ]

    def _of_job(self, job_id: str) -> list[Instance]:
        record = self._engine.store.job(job_id) if job_id in self._engine.jobs else None
        if record is None:
            return []
        found = self._cache.instances.get(record.op, record.key_digest)
        return [found] if found is not None and found.users and found.job_id == job_id else []
