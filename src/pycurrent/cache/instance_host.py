"""The surroundings of an instance, which are the cache and its engine, as far as it needs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pycurrent.cache.cause import Cause
from pycurrent.cache.demands import Demand
from pycurrent.cache.operation_type import Key
from pycurrent.cache.pauses import Pauses
from pycurrent.cache.states import Run
from pycurrent.cache.still_there import StillThere
from pycurrent.engine.changes import Ids
from pycurrent.engine.clock import Clock
from pycurrent.engine.step import JobHandle
from pycurrent.store import Database

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.job_owner import JobOwner
    from pycurrent.engine.left_runs import LeftRun
    from pycurrent.engine.pool import Tickets, Urgency

I_contra = TypeVar("I_contra", contravariant=True)


class InstanceHost(Protocol[I_contra]):
    """The surroundings of an instance, which is of the type `I_contra`."""

    clock: Clock
    store: Database
    pauses: Pauses
    still_there: StillThere
    left_places: dict[Callable[[], None], Tickets]
    """The places in queues of runs that are given up before they have begun, by the `changed` of
    those who wanted them. The next run for the same component takes them, as long as something
    that the step touched is not updated yet.
    """

    def new_job(
        self,
        op: str,
        description: str,
        cause: Cause,
        *,
        urgency: Urgency,
        owner: JobOwner,
        tickets: Tickets | None,
    ) -> DrivenJob:
        """A job with a log, of which nothing is recorded yet."""

    def take_left(self, op: str, key_digest: str, target: str | None) -> LeftRun | None:
        """The durable job that an earlier engine has left, if it works on that target."""

    def left_job(
        self, left: LeftRun, description: str, *, urgency: Urgency, owner: JobOwner
    ) -> DrivenJob:
        """A job that goes on, which is recorded."""

    def use_job(self, instance: I_contra, job_id: str) -> None:
        """The pipeline uses this job of the instance from now on."""

    def used(self, demand: Demand) -> None:
        """The stage that has this demand uses another job, or has other labels."""

    def joined(self, instance: I_contra, demand: Demand) -> None:
        """Somebody needs an instance whose operation retires what it has set."""

    def left(self, instance: I_contra, demand: Demand) -> None:
        """Somebody needs such an instance no longer."""

    def changes_of(self, demand: Demand, cause: Cause) -> Ids:
        """The changes from outside that a run follows from which begins now."""

    def changed_outside(self, key: Key, run: Run, old: Any, new: Any) -> Ids:
        """A run has found another value than the last one: record that as a change from outside.
        Gives the changes that follow from the result.
        """

    def following_from(self, changes: Ids) -> AbstractContextManager[None]:
        """Have what is done in the block follow from these changes."""

    def handle(self, instance: I_contra, job_id: str) -> JobHandle:
        """A handle of a job of the instance."""

    def drop_job(self, job_id: str) -> None:
        """The pipeline uses this job no more."""

    def touch(self, instance: I_contra) -> None:
        """Something about it has changed: update it after the next step."""

    def job_changed(self, job: DrivenJob) -> None:
        """The job has another state, or comes to its end."""

    def look_again(self, job: DrivenJob) -> None:
        """Have a paused job look whether it still is: others may want it now."""

    def launch(self, instance: I_contra, run: Run) -> None:
        """Have the run begin once it is recorded."""

    def waited(self, instance: I_contra, run: Run) -> None:
        """The job of a run waits no longer: its work may begin, or it was told to end."""

    def given_up(self, instance: I_contra, run: Run) -> None:
        """The job of a run was told to end while it waited, and holds nothing."""

    def forget(self, instance: I_contra) -> None:
        """Nobody needs it: what is known is in the database."""

    def request_step(self) -> None:
        """Have a step taken soon."""
