"""The contract of the one that has a job made.

It tells of the stages that want the job, and is told of its course.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pycurrent.engine.level import Level
from pycurrent.engine.paused import StagePath
from pycurrent.term import Untrusted

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob


class JobOwner(Protocol):
    """The one that has a job made, and is told of it."""

    def label_of(self, job: DrivenJob, name: str, /) -> str | None:
        """A label of the stage that wanted the job first; None if it has none of this name."""

    def stages_of(self, job: DrivenJob, /) -> Iterable[StagePath]:
        """The paths of the stages that want the job."""

    def labels_of(self, job: DrivenJob, /) -> Mapping[str, str]:
        """The labels of the stages that want it, or else of the one that wanted it first; where
        they have different ones of a name, that of the first counts.
        """

    def least_level(self, job: DrivenJob, /) -> Level | None:
        """The level that it has at least; None: that at which it starts."""

    def trusts_of(self, job: DrivenJob, /) -> Sequence[Untrusted]:
        """The untrusted sources and commits for which it works; none if it works for ours."""

    def is_confined(self, job: DrivenJob, /) -> bool:
        """True if it may run the code of those for whom it works, which is not trusted."""

    def job_changed(self, job: DrivenJob, /) -> None:
        """It has another state, waits for something else, or was told to end while its work goes
        on.
        """

    def job_queued(self, job: DrivenJob, /) -> None:
        """It was new, and waits in a queue now: for those who want it, it is ready as before."""

    def job_has_more(self, job: DrivenJob, /) -> None:
        """It has more to record than its result, so it leaves a record whatever that is."""

    def job_waited(self, job: DrivenJob, /) -> None:
        """It was set off, and waits no longer: its work may begin, or it was told to end."""

    def is_durable(self, job: DrivenJob, /) -> bool:
        """True if its operation says that its effects are its commands."""

    def is_local(self, job: DrivenJob, /) -> bool:
        """True if its operation says that it needs files of the engine's machine."""

    def job_diverged(self, job: DrivenJob, /) -> None:
        """It can't go on where an earlier engine has left it: it is to be run afresh."""

    def job_given_up(self, job: DrivenJob, /) -> None:
        """It was set off, and was told to end while it waited. It holds nothing, and its log does
        not say so yet: see `end_unbegun`.
        """
