"""What authors give where a job is to start: refused in their words, where it is given."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pycurrent.engine.level import Level
from pycurrent.engine.pool import CustomPool, Pool
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown


def check_level(level: Any, where: str) -> None:
    """Raise `WrongKind` for what is no level; None may be."""
    if level is None or isinstance(level, Level):
        return
    hint = "Level.HARMLESS, say"
    if isinstance(level, str):
        known = level.strip().upper().replace("-", "_")
        if known in Level.__members__:
            hint = f"Level.{known}"
    raise WrongKind(f"{where}: level= takes a Level, not {shown(level)}: write {hint}")


def check_pool(pool: Any, where: str) -> None:
    """Raise `WrongKind` for what is no pool; None may be."""
    if pool is None or isinstance(pool, Pool | CustomPool):
        return
    what = shown(pool)
    number = pool if isinstance(pool, int) else 2
    raise WrongKind(f'{where}: pool= takes a Pool, not {what}: write Pool("builds", {number})')


def check_timeout(timeout: Any, where: str) -> None:
    """Raise `UsageError` for what is no length of time; None may be."""
    if timeout is None:
        return
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number and not isinstance(timeout, timedelta):
        raise WrongKind(
            f"{where}: timeout= takes seconds or a timedelta, not {shown(timeout)}: write"
            f" timedelta(minutes=5)"
        )
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if not seconds > 0:
        raise UsageError(f"{where}: timeout= must be longer than nothing, not {timeout}")


def check_start(level: Any, pool: Any, timeout: Any) -> None:
    """Raise `UsageError` for what a job can't be started with."""
    if level is None:
        raise WrongKind("job.start: level= takes a Level, not None: write Level.HARMLESS, say")
    check_level(level, "job.start")
    check_pool(pool, "job.start")
    check_timeout(timeout, "job.start")
