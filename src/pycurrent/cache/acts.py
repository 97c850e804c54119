"""The acts of people on jobs: to rebuild, to cancel, to approve.

Each is written once, here, for all callers: handles, the service, the code of a plugin. `by` is who
asks and `reason` says why; both go to the audit and to the job's log, and those of a rebuild to its
cause. Acts without a `by` are the program's own, and not in the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from pycurrent.cache.cause import Asked, Cause, because
from pycurrent.cache.instance import Instance
from pycurrent.cache.states import Run
from pycurrent.engine.audit import Asker, Audit
from pycurrent.engine.changes import Changes, Ids
from pycurrent.engine.thread import LoopThread
from pycurrent.store import Database
from pycurrent.term import StageRef

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.follow import LogSource


class Instances:
    """The instances of one cache, by operation and key.

    In a dictionary for each operation: a pair as the name of each of 100,000 takes more memory.
    """

    def __init__(self) -> None:
        self._by_op: dict[str, dict[str, Instance]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Instance]:
        return chain.from_iterable(of_op.values() for of_op in self._by_op.values())

    def get(self, op: str, digest: str) -> Instance | None:
        of_op = self._by_op.get(op)
        return None if of_op is None else of_op.get(digest)

    def of(self, op: str) -> list[Instance]:
        """The instances of an operation."""
        return list(self._by_op.get(op, {}).values())

    def add(self, instance: Instance) -> None:
        self._by_op.setdefault(instance.op_type.id, {})[instance.key.digest] = instance
        self._count += 1

    def remove(self, instance: Instance) -> None:
        del self._by_op[instance.op_type.id][instance.key.digest]
        self._count -= 1


class Acts:
    """The acts on the instances of one cache."""

    def __init__(
        self,
        instances: Instances,
        store: Database,
        log: Callable[[str], LogSource],
        thread: LoopThread,
        audit: Audit,
        changes: Changes,
        stages_of: Callable[[str], Iterable[StageRef]],
        request_step: Callable[[], None],
    ) -> None:
        self.instances = instances
        self.stages_of = stages_of
        """The stages whose result the job with an id has made, or is making."""
        self.store = store
        self.log = log
        self.thread = thread
        self._audit = audit
        self._changes = changes
        self._request_step = request_step

    def invalidate(self, op: str, digest: str, cause: Cause) -> Run | None:
        """Make the result for a key again, although it is known; gives the run that does that.

        If it is being made, that run goes on. None: nobody needs the result now, or those who do
        are in conflict. Then it is made again once it can be.
        """
        instance = self.instances.get(op, digest)
        if instance is not None and (instance.users or instance.run is not None):
            instance.rebuild(cause)
        else:
            self.store.set_rebuild(op, digest)
        self._request_step()
        return None if instance is None else instance.run

    def rebuild(
        self,
        op: str,
        digest: str,
        *,
        job_id: str,
        by: Asker | str | None = None,
        reason: str | None = None,
        change: Ids | None = None,
    ) -> Run | None:
        """The same, because somebody asks for it who has seen the job with this id. `change` is the
        one that was noted, if that was done for several jobs together.
        """
        why = Asked(_name(by), reason)
        if change is None:
            change = self.asked_for_rebuild(by=by, reason=reason)
        with self._changes.following_from(change):
            run = self.invalidate(op, digest, why)
        if by is not None:
            after = None if run is None else run.job.id
            self._audit.note(by, "rebuild", job_id, after=after, reason=reason)
        return run

    def asked_for_rebuild(self, *, by: Asker | str | None, reason: str | None) -> Ids:
        """Note the change that somebody asks for a rebuild, of one job or of many."""
        return self._changes.of_person(by, because(Asked(_name(by), reason)))

    def cancel(
        self, job: DrivenJob, *, by: Asker | str | None = None, reason: str | None = None
    ) -> None:
        """Cancel a job: it fails, and is not run again by itself. Later, or twice, nothing happens.

        The failure names who asked, or why: "Cancelled: by ann: it hangs".
        """
        if by is not None and job.cancelled is None:
            was = job.state.value
            self._audit.note(by, "cancel", job.id, before=was, after="cancelled", reason=reason)
        name = _name(by)
        why = [text for text in (None if name is None else f"by {name}", reason) if text]
        job.cancel(": ".join(why) or "somebody asked for it")

    def approve(
        self, job: DrivenJob, *, by: Asker | str | None = None, reason: str | None = None
    ) -> None:
        """Let a job start although its level asks for confirmation. Later nothing happens."""
        if job.begun is None and (by is not None or reason is not None):
            job.log(
                f"Approved by {_name(by) or 'somebody'}" + ("" if reason is None else f": {reason}")
            )
            if by is not None:
                was = job.state.value
                self._audit.note(by, "approve", job.id, before=was, after="approved", reason=reason)
        job.approve()


def _name(by: Asker | str | None) -> str | None:
    return by.name if isinstance(by, Asker) else by
