"""From which level on jobs wait for confirmation, and which ones wait."""

from __future__ import annotations

from dataclasses import dataclass

from pycurrent.engine import Level, OpenEngine
from pycurrent.service.events import ConfirmChanged, EventHub
from pycurrent.service.jobs import Jobs
from pycurrent.service.models import ForConfirmation, JobView


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What needs confirmation now."""

    level: Level | None
    """Jobs at this level, or above, wait; None: none do."""
    waiting: tuple[JobView, ...]

    def would_start(self, level: Level | None) -> tuple[JobView, ...]:
        """The jobs that would go on if it were set to this level."""
        return tuple(
            job
            for job in self.waiting
            if isinstance(job.wait, ForConfirmation) and (level is None or job.wait.level < level)
        )


class ConfirmationLevel:
    """Shows and changes the level of an engine, and tells when it has changed."""

    def __init__(self, engine: OpenEngine, jobs: Jobs, hub: EventHub) -> None:
        self._config = engine.config
        self._jobs = jobs
        self._hub = hub
        self._config.listen(self._changed)

    def show(self) -> Confirmation:
        waiting = [job for job in self._jobs.active() if isinstance(job.wait, ForConfirmation)]
        return Confirmation(self._config.confirm, tuple(waiting))

    def set(self, level: Level | None, *, by: str) -> tuple[JobView, ...]:
        """From now on jobs at this level, or above, wait. Gives those that go on now: who has let
        them is in their logs.
        """
        started = self.show().would_start(level)
        self._jobs.tell(started, f"Released: {by} set the level to {level or 'none'}")
        self._config.confirm = level
        return started

    def close(self) -> None:
        """Nothing is told any more. Twice is fine."""
        self._config.forget(self._changed)

    def _changed(self) -> None:
        self._hub.publish(ConfirmChanged(self._config.confirm))
