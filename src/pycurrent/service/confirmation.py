"""The confirmation level, and the jobs that wait for confirmation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from pycurrent.engine import Asker, DrivenJob, Level, OpenEngine
from pycurrent.service.events import ConfirmChanged, EventHub
from pycurrent.service.jobs import Jobs
from pycurrent.view import JobView, show_job


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The level from which on jobs wait, and how many wait now."""

    level: Level | None
    """Jobs at this level or above it wait; None: no jobs do."""
    waiting: tuple[JobView, ...]
    """As many as were asked for, those first that have waited longest."""
    counts: Mapping[Level, int]
    """How many jobs of each level wait."""

    @property
    def total(self) -> int:
        """How many jobs wait."""
        return sum(self.counts.values())

    def would_start(self, level: Level | None) -> int:
        """How many jobs would start if this became the level."""
        return sum(n for own, n in self.counts.items() if _starts(own, level))


class ConfirmationLevel:
    """Shows and changes the confirmation level of an engine, and tells followers of changes."""

    def __init__(self, engine: OpenEngine, jobs: Jobs, hub: EventHub) -> None:
        self._config = engine.config
        self._audit = engine.audit
        self._jobs = jobs
        self._hub = hub
        self._config.listen(self._changed)

    def show(self, limit: int) -> Confirmation:
        """The level, with at most `limit` of the jobs that wait."""
        waiting = self._jobs.waiting
        shown = tuple(show_job(job) for job in islice(waiting.values(), limit))
        return Confirmation(self._config.confirm, shown, Counter(map(_level, waiting.values())))

    def set(self, level: Level | None, *, by: Asker | str, reason: str | None = None) -> int:
        """Have jobs at this level or above it wait from now on.

        Returns how many jobs may start now. Their logs say who has set the level.
        """
        asker = Asker.of(by)
        waiting = (job for job in self._jobs.waiting.values() if job.unapproved is None)
        started = [job for job in waiting if _starts(_level(job), level)]
        why = "" if reason is None else f": {reason}"
        for job in started:
            job.log(f"Released: {asker.name} set the level to {level or 'none'}{why}")
        before, after = (str(one or "none") for one in (self._config.confirm, level))
        self._audit.note(
            asker, "set level", "confirmation", before=before, after=after, reason=reason
        )
        self._config.confirm = level
        return len(started)

    def close(self) -> None:
        """Tell nothing more. Twice is fine."""
        self._config.forget(self._changed)

    def _changed(self) -> None:
        self._hub.publish(ConfirmChanged(self._config.confirm))


def _level(job: DrivenJob) -> Level:
    """The level of a job that waits for confirmation."""
    level = job.confirmation_level
    assert level is not None
    return level


def _starts(own: Level, level: Level | None) -> bool:
    return level is None or own < level
