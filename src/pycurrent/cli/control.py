"""`pycurrent stop` and `pycurrent upgrade`: tell the engine of a state directory to end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import StateDirOption
from pycurrent.cli.status import CommandError, Exit
from pycurrent.cli.stop import KEEP_JOBS, UPGRADE
from pycurrent.store import StateDir
from pycurrent.store.lock import Holder

_LOOK = 0.05
"""Seconds between two looks at the engine."""
_LONG = 2.0
"""Seconds after which one wants to know why nothing happens."""


def stop(
    *,
    keep_jobs: Annotated[
        bool,
        Parameter(negative=(), help="Leave durable jobs at work: the next engine goes on."),
    ] = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """Stop the engine that uses the state directory, and wait for its end.

    It cancels its jobs, and gives them time to clean up. With --keep-jobs the commands of durable
    jobs go on, as long as the engine's lease says.
    """
    holder = _tell(state_dir, KEEP_JOBS if keep_jobs else signal.SIGTERM)
    _wait_until(lambda: not _holds(state_dir, holder), f"waiting for the end of {holder}")
    sys.stdout.write(f"stopped {holder}\n")
    return Exit.OK


def upgrade(*, state_dir: StateDirOption = DEFAULT_STATE_DIR) -> int:
    """Start the engine that uses the state directory again, and wait until it is back.

    It starts its program again, in the same process: with the version of pycurrent, and of the
    pipeline, that is installed now. The commands of durable jobs go on meanwhile, other jobs are
    interrupted and run again. Connections to the site wait.

    The program is tried first. If it can't be started, the engine goes on as it is, and this says
    why.
    """
    path = StateDir.read(state_dir).path
    before = _made(path)
    holder = _tell(state_dir, UPGRADE)
    _wait_until(
        lambda: not _lives(holder) or (_made(path) != before and Holder.told_by(path) is not None),
        f"waiting for {holder} to come back",
    )
    now = Holder.told_by(path)
    if now is None or not _lives(now):
        raise CommandError(f"{holder} has ended, and not come back: what it has printed says why")
    if now.refused:
        raise CommandError(f"not upgraded, the engine goes on as it is: {now.refused}")
    sys.stdout.write(f"{now} is at work\n")
    return Exit.OK


def _tell(state_dir: Path, how: signal.Signals) -> Holder:
    """Send a signal to the engine. Raises `CommandError` if there is none."""
    path = StateDir.read(state_dir).path
    holder = Holder.told_by(path)
    if holder is None or not _is_it(holder):
        raise CommandError(f"no engine uses {path}")
    try:
        os.kill(holder.pid, how)
    except ProcessLookupError:
        raise CommandError(f"no engine uses {path}") from None
    except PermissionError:
        raise CommandError(f"{holder} belongs to another user") from None
    return holder


def _lives(holder: Holder) -> bool:
    """True until the process has ended, whether or not its parent knows."""
    if not holder.is_alive:
        return False
    try:
        status = Path(f"/proc/{holder.pid}/stat").read_text(errors="replace")
    except OSError:
        return not Path("/proc/self").exists()
    return status.rpartition(") ")[2][:1] not in "ZX"


def _is_it(holder: Holder) -> bool:
    """True if the process is still the one that holds the lock: numbers are used again."""
    if not _lives(holder):
        return False
    try:
        words = Path(f"/proc/{holder.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return not Path("/proc/self").exists()
    return b" ".join(words) == os.fsencode(holder.command)


def _holds(state_dir: Path, holder: Holder) -> bool:
    return _lives(holder) and holder.is_same(Holder.told_by(StateDir.read(state_dir).path))


def _made(path: Path) -> int:
    """When the engine has last said something about itself."""
    return (path / "lock").stat().st_mtime_ns


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    began, is_told = time.monotonic(), False
    while not condition():
        if not is_told and time.monotonic() - began > _LONG:
            is_told = True
            sys.stderr.write(f"{what} ...\n")
            sys.stderr.flush()
        time.sleep(_LOOK)
