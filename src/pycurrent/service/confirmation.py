"""The confirmation level, and the jobs that wait for confirmation."""

from __future__ import annotations

from dataclasses import dataclass

from pycurrent.engine import Asker, Level, OpenEngine
from pycurrent.service.events import ConfirmChanged, EventHub
from pycurrent.service.jobs import Jobs
from pycurrent.service.models import ForConfirmation, JobView


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The level from which on jobs wait, and those that wait now."""

    level: Level | None
    """Jobs at this level or above it wait; None: no jobs do."""
    waiting: tuple[JobView, ...]

    def would_start(self, level: Level | None) -> tuple[JobView, ...]:
        """The jobs that would start if this became the level."""
        return tuple(
            job
            for job in self.waiting
            if isinstance(job.wait, ForConfirmation) and (level is None or job.wait.level < level)
        )


class ConfirmationLevel:
    """Shows and changes the confirmation level of an engine, and tells followers of changes."""

    def __init__(self, engine: OpenEngine, jobs: Jobs, hub: EventHub) -> None:
        self._config = engine.config
        self._audit = engine.audit
        self._jobs = jobs
        self._hub = hub
        self._config.listen(self._changed)

    def show(self) -> Confirmation:
        return Confirmation(self._config.confirm, self._jobs.waiting_for_confirmation())

    def set(
        self, level: Level | None, *, by: Asker | str, reason: str | None = None
    ) -> tuple[JobView, ...]:
        """Have jobs at this level or above it wait from now on.

        Returns the jobs that may start now. Their logs say who has set the level.
        """
        asker = Asker.of(by)
        started = self.show().would_start(level)
        why = "" if reason is None else f": {reason}"
        self._jobs.tell(started, f"Released: {asker.name} set the level to {level or 'none'}{why}")
        before, after = (str(one or "none") for one in (self._config.confirm, level))
        self._audit.note(
            asker, "set level", "confirmation", before=before, after=after, reason=reason
        )
        self._config.confirm = level
        return started

    def close(self) -> None:
        """Tell nothing more. Twice is fine."""
        self._config.forget(self._changed)

    def _changed(self) -> None:
        self._hub.publish(ConfirmChanged(self._config.confirm))
