"""Counts how often in a row what is muted has passed, as a mute ends after 20 passes.

A pass of a stage is a job that ran for it and succeeded; a result that was known already is none,
and an attempt that is tried again by itself counts neither way. For a fingerprint the passes of all
stages count that have failed with it. After a failure the row begins again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycurrent.cache import Instance, ResultCache
from pycurrent.cache.demands import Retirement
from pycurrent.cache.states import Pausing
from pycurrent.engine import Mute, MuteKind, OpenEngine
from pycurrent.store import JobEnd
from pycurrent.term import StageRef

if TYPE_CHECKING:
    from pycurrent.engine import DrivenJob

_MOST = 10_000
"""How many stages of a fingerprint are known at most."""


class PassCounter:
    """A service of the engine. Make it before the first step, and after the `FailureRecorder`."""

    def __init__(self, engine: OpenEngine) -> None:
        self._store = engine.store
        self._mutes = engine.mutes
        self._failed: dict[str, set[str]] = {}
        """The paths of the stages that have failed with each muted fingerprint."""
        engine.service(ResultCache).runs.on_ended(self._ended)

    def _ended(self, ended: Sequence[tuple[DrivenJob, JobEnd]]) -> None:
        if not self._mutes.are_any:
            self._failed.clear()
            return
        for job, end in ended:
            if _is_final(job):
                self._count(job, end)

    def _count(self, job: DrivenJob, end: JobEnd) -> None:
        paths = {str(StageRef(path)) for path in job.stages}
        if end is JobEnd.OK:
            for mute in self._mutes.all():
                if not paths.isdisjoint(self._concerned(mute)):
                    self._mutes.count(mute.what, mute.passes + 1)
        elif end in {JobEnd.FAILED, JobEnd.TIMED_OUT}:
            self._begin_anew(paths, self._store.new_failures.fingerprint_of(job.id))

    def _begin_anew(self, paths: set[str], fingerprint: str | None) -> None:
        for mute in self._mutes.all():
            name = mute.what.name
            if mute.what.kind is MuteKind.FINGERPRINT and name == fingerprint:
                self._concerned(mute).update(paths)
            elif mute.what.kind is MuteKind.FINGERPRINT or name not in paths:
                continue
            if mute.passes:
                self._mutes.count(mute.what, 0)

    def _concerned(self, mute: Mute) -> set[str]:
        """The paths of the stages whose passes count for a mute."""
        name = mute.what.name
        if mute.what.kind is MuteKind.PATH:
            return {name}
        if name not in self._failed:
            groups = self._store.failures.groups(fingerprint=name, stages=_MOST)
            self._failed[name] = {path for group in groups for path in group.stages}
        return self._failed[name]


def _is_final(job: DrivenJob) -> bool:
    """False if the work is tried again by itself, and if it was to take back a result."""
    owner = job.owner
    return not isinstance(owner, Instance) or not (
        isinstance(owner.state, Pausing) or isinstance(owner.users.latest, Retirement)
    )
