"""Checks of the arguments that authors give, in their words and where they are given."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pycurrent.engine.level import Level
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import Stand, shown, unfit

_LONGEST = 1e9
"""In seconds: some thirty years."""


def _at(where: str) -> str:
    return f"{where}: " if where else ""


def check_level(level: Any, where: str = "") -> None:
    """Raise `WrongKind` if it is neither a level nor None."""
    if level is None or isinstance(level, Level):
        return
    hint = "Level.HARMLESS, say"
    if isinstance(level, str):
        known = level.strip().upper().replace("-", "_")
        if known in Level.__members__:
            hint = f"Level.{known}"
    raise WrongKind(f"{_at(where)}level= takes a Level, not {shown(level)}: write {hint}")


def check_pool(pool: Any, where: str = "") -> None:
    """Raise `WrongKind` if it is neither a pool nor None."""
    if pool is None:
        return
    from pycurrent.engine.custom_pool import CustomPool  # many pipelines have none
    from pycurrent.engine.pool import Pool

    if isinstance(pool, Pool | CustomPool):
        return
    what = shown(pool)
    number = pool if type(pool) is int and pool > 0 else 2
    raise WrongKind(f'{_at(where)}pool= takes a Pool, not {what}: write Pool("builds", {number})')


def check_timeout(timeout: Any, where: str = "") -> None:
    """Raise `UsageError` if it is neither a length of time nor None."""
    if timeout is None:
        return
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number and not isinstance(timeout, timedelta):
        raise WrongKind(
            f"{_at(where)}timeout= takes seconds or a timedelta, not {shown(timeout)}: write"
            f" timedelta(minutes=5)"
        )
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if not seconds > 0:
        raise UsageError(f"{_at(where)}timeout= must be longer than nothing, not {timeout}")
    if seconds > _LONGEST:
        raise UsageError(f"{_at(where)}timeout= is too long ({timeout}): None is without end")


def check_priority(priority: Any, where: str = "") -> None:
    """Raise `WrongKind` if it is not a whole number."""
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise WrongKind(
            f"{_at(where)}priority= takes a whole number, not {shown(priority)}: 0 is the default,"
            " and a higher one is served first"
        )


def check_start(
    level: Any, pool: Any, timeout: Any, priority: Any = 0, where: str = "job.start"
) -> None:
    """Raise `UsageError` for what a job can't be started with."""
    check_priority(priority, where)
    if level is None:
        raise WrongKind(f"{_at(where)}level= takes a Level, not None: write Level.HARMLESS, say")
    check_level(level, where)
    check_pool(pool, where)
    check_timeout(timeout, where)


def check_engine(pipeline: Any, state_dir: Any, config: Any) -> None:
    """Raise `WrongKind` for what no engine can be made of."""
    if not callable(pipeline):
        what = pipeline.remedy.what if isinstance(pipeline, Stand) else shown(pipeline)
        raise WrongKind(
            f"Engine takes a function that returns a current, not {what}: write"
            f" Engine(pipeline, ...) with def pipeline(), or lambda: ..."
        )
    if not isinstance(state_dir, str | os.PathLike):
        raise WrongKind(f"Engine: state_dir= takes a path, not {shown(state_dir)}")
    if config is not None and not hasattr(config, "confirm"):
        raise WrongKind(f"Engine: config= takes a Config, not {shown(config)}: write Config(...)")


def check_functions(where: str, **functions: Any) -> None:
    """Raise `WrongKind` for what can't be called."""
    for name, fn in functions.items():
        if not callable(fn):
            remedy = unfit(fn)
            what = f"{remedy.what}: give the function itself, without ()" if remedy else shown(fn)
            raise WrongKind(f"{where}: {name}= takes a function, not {what}")


def check_paths(where: str, paths: Iterable[Any]) -> list[Path]:
    """Return the paths. Raises `WrongKind` for anything else."""
    if isinstance(paths, str | bytes | os.PathLike):
        raise WrongKind(f"{where}: paths= returns a list of paths, not {shown(paths)}: write [...]")
    taken = list(paths)
    for path in taken:
        if not isinstance(path, Path):
            raise WrongKind(f"{where}: paths= returns Paths, not {shown(path)}: write Path(...)")
    return taken


def check_watching(where: str, watch: Any, every: Any) -> None:
    """Raise `UsageError` unless an input is watched, or read again every so often, or both."""
    if watch is None and every is None:
        raise UsageError(
            f"{where} needs watch=, a function that tells of changes, or"
            f" every=timedelta(minutes=5), say, to be read so often"
        )
    if watch is not None:
        check_functions(where, watch=watch)
    if every is None:
        return
    if not isinstance(every, timedelta):
        raise WrongKind(
            f"{where}: every= takes a timedelta, not {shown(every)}: write timedelta(minutes=5),"
            f" say"
        )
    if not every > timedelta(0):
        raise UsageError(f"{where}: every= must be longer than nothing, not {every}")
    if every.total_seconds() > _LONGEST:
        raise UsageError(f"{where}: every= is too long ({every})")


def check_command(options: Mapping[str, Any], *, known: Collection[str]) -> None:
    """Raise `WrongKind` for options that no command can have."""
    if unknown := sorted(options.keys() - set(known)):
        raise WrongKind(f"a command has no option {unknown[0]}=: it has {', '.join(known)}")
    cwd, env, stdin, grace, show = map(options.get, ("cwd", "env", "stdin", "grace", "show"))
    if cwd is not None and not isinstance(cwd, str | os.PathLike):
        raise WrongKind(f"a command's cwd= takes a path, not {shown(cwd)}")
    if env is not None and not isinstance(env, Mapping):
        raise WrongKind(
            f'a command\'s env= takes a dict, not {shown(env)}: write {{"NAME": "value"}}'
        )
    for name, value in (env or {}).items():
        if not isinstance(name, str) or not (value is None or isinstance(value, str)):
            raise WrongKind(
                f"a command's env= takes texts: {shown(name)} is of type {type(name).__name__}, its"
                f" value of type {type(value).__name__}: write str(...)"
            )
    if stdin is not None and not isinstance(stdin, str | bytes | bytearray):
        raise WrongKind(f"a command's stdin= takes a text or bytes, not {shown(stdin)}")
    if grace is not None and (
        isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace < _LONGEST
    ):
        raise WrongKind(f"a command's grace= takes seconds, 0 or more, not {shown(grace)}")
    if show is not None and not isinstance(show, str):
        words = [] if not isinstance(show, list | tuple) else [*show]
        if not words or not all(isinstance(word, str) for word in words):
            raise WrongKind(f"a command's show= takes a text or its words, not {shown(show)}")
