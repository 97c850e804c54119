"""Waiting until a job may start: until its level asks for no person, or a person has agreed."""

from __future__ import annotations

import asyncio

from pycurrent.engine.level import Config, Level


class JobConfirmation:
    """The confirmation that one job needs at its level."""

    __slots__ = ("_approved", "_config", "_waiting")

    def __init__(self, config: Config) -> None:
        self._config = config
        self._approved = False
        self._waiting: tuple[Level, asyncio.Future[None]] | None = None

    @property
    def is_awaited(self) -> bool:
        """True if somebody waits, and nothing has let the job start yet."""
        return self._waiting is not None and not self._waiting[1].done()

    def is_given(self, level: Level) -> bool:
        """True if a job at this level may start now."""
        return self._approved or self._config.allows(level)

    def approve(self) -> None:
        """Let the job start whatever its level is. Twice is as good as once."""
        self._approved = True
        self._reconsider()

    async def wait(self, level: Level) -> None:
        """Return once the job may start; one call at a time."""
        if self.is_given(level):
            return
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = (level, confirmed)
        self._config.listen(self._reconsider)
        try:
            await confirmed
        finally:
            self._config.forget(self._reconsider)
            self._waiting = None

    def _reconsider(self) -> None:
        if self._waiting is not None:
            level, confirmed = self._waiting
            if self.is_given(level) and not confirmed.done():
                confirmed.set_result(None)
