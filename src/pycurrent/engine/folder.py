"""Keeping the folder of the process where it is, while an engine works in it.

`os.chdir` moves the whole process: the job that calls it, all other jobs, and each relative path of
the engine. Nothing would tell, so it is refused where it is called, before anything has moved. An
audit hook of Python is told of each call, whichever library makes it. It can't be removed again; it
acts only in what an engine has begun: its steps, and so its jobs and monitors, with the threads of
`asyncio.to_thread`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from pycurrent.errors import UsageError

_IS_KEPT: ContextVar[bool] = ContextVar("the folder of the process is kept", default=False)


def keep_folder() -> None:
    """Refuse `os.chdir` in this context, and in those that are copied from it."""
    _install()
    _IS_KEPT.set(True)


@contextmanager
def folder_kept() -> Iterator[None]:
    """Refuse `os.chdir` in the block."""
    _install()
    token = _IS_KEPT.set(True)
    try:
        yield
    finally:
        _IS_KEPT.reset(token)


@cache
def _install() -> None:
    """Once in a process, as each hook is called at each event."""
    sys.addaudithook(_check)


def _check(event: str, args: tuple[object, ...], moves: str = "os.chdir") -> None:
    if event == moves and _IS_KEPT.get():
        raise UsageError(
            "os.chdir would move the whole process, with all other jobs: write"
            " `await job.exec(..., cwd=folder)`, open(folder / name), or `async with"
            " job.tempdir() as folder`; at the top of the file it is fine"
        )
