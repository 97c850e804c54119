"""The owner of jobs as far as it is asked for whom they work: see `JobOwner`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pycurrent.cache.operation_type import Key, OperationType, UntrustedKey
from pycurrent.engine.level import Level
from pycurrent.engine.paused import StagePath
from pycurrent.term import NO_LABELS, Untrusted

if TYPE_CHECKING:
    from pycurrent.cache.demands import Demands
    from pycurrent.cache.states import Run
    from pycurrent.engine.driven_job import DrivenJob


class JobOwnership:
    """The one that has jobs made, for those who want the result of a key."""

    __slots__ = ()

    key: Key
    op_type: OperationType
    users: Demands

    if TYPE_CHECKING:

        @property
        def run(self) -> Run | None:
            """The run that has not ended."""

    def label_of(self, job: DrivenJob, name: str) -> str | None:
        """The owner of a job is asked for a label of the stage that wanted it first."""
        run = self.run
        # One that the engine has left alone may go on.
        return None if run is None or run.job is not job else run.wanted_by.label(name)

    def stages_of(self, job: DrivenJob) -> Iterator[StagePath]:
        """The owner of a job is asked for the stages that want it."""
        for demand in self.users:
            path = demand.path
            if path is not None:
                yield path

    def labels_of(self, job: DrivenJob) -> Mapping[str, str]:
        """The owner of a job is asked for the labels of the stages that want it."""
        run = self.run
        if run is None or run.job is not job:
            return NO_LABELS
        found: Mapping[str, str] = NO_LABELS
        for demand in self.users or run.wanted_by:
            labels = demand.stage_labels
            found = {**labels, **found} if found else labels
        return found

    def least_level(self, job: DrivenJob) -> Level | None:
        """The owner of a job is asked for the level that it has at least."""
        run = self.run
        return None if run is None or run.job is not job else run.wanted_by.least_level

    def trusts_of(self, job: DrivenJob) -> Sequence[Untrusted]:
        """The owner of a job is asked for whom it works."""
        key, run = self.key, self.run
        if not isinstance(key, UntrustedKey):
            return ()
        wanted = [demand.trust for demand in self.users]
        if not wanted and run is not None and run.job is job:
            wanted = [run.wanted_by.trust]
        return [trust for trust in wanted if isinstance(trust, Untrusted)] or (key.trust,)

    def is_confined(self, job: DrivenJob) -> bool:
        """The owner of a job is asked whether it may run the code of those for whom it works."""
        return self.key.source is not None and not self.op_type.for_untrusted

    def is_durable(self, job: DrivenJob) -> bool:
        """The owner of a job is asked whether its effects are those of its commands."""
        return self.op_type.durable

    def is_local(self, job: DrivenJob) -> bool:
        """The owner of a job is asked whether it needs files of the engine's machine."""
        return self.op_type.local

    def looks_again(self, job: DrivenJob) -> bool:
        """True if a job leaves no record unless it finds something new."""
        run = self.run
        return run is not None and run.job is job and run.refreshes is not None
