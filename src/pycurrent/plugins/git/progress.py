"""The progress of git commands, which the log shows only if they take long.

Git does not have a setting for that. So its messages go through a named pipe, and are held back for
the first seconds. If git has ended by then, the log gets everything except the progress.
That of a durable job shows none.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping, Sequence

from pycurrent.engine import Job
from pycurrent.plugins.relay import relayed

PATIENCE = 2.0
"""Seconds after which the log shows progress."""

# Each piece is a line of its own, or overwrites the one before.
_PIECE = re.compile(rb"[^\r\n]*[\r\n]")
_PROGRESS = re.compile(
    rb"(?:remote: )?(?:\w+ing \w+(?: \w+)*: +\d.*|Total \d+ \(delta .*)\s*", re.IGNORECASE
)
# The table of refs, which may have thousands of lines. Refused refs (!) are not dropped.
_REFS = re.compile(rb"From \S+\s*| [ +*=t-] .* -> .*\s*|Cloning into bare repository .*\s*")


async def exec_with_progress(
    job: Job, command: Sequence[str], env: Mapping[str, str | None]
) -> None:
    """Run a git command that writes its progress to its standard error. Raises CommandFailed."""
    if job.is_durable:
        # Nobody would read the pipe once the engine is killed.
        quiet = ["--quiet" if word == "--progress" else word for word in command]
        await job.exec(quiet, env=env, trusted=True, here=True)
        return
    async with job.tempdir("said-", here=True) as folder:
        pipe, relay = folder / "pipe", _Relay(job)
        timer = asyncio.get_running_loop().call_later(PATIENCE, relay.tell_all)
        try:
            with relayed(pipe, relay.take):
                # A shell opens the pipe, because all commands of a job write to its log.
                through = ("sh", "-c", 'exec "$@" 2> "$0"', str(pipe))
                shown = shlex.join(command)
                await job.exec([*through, *command], env=env, show=shown, trusted=True, here=True)
        finally:
            timer.cancel()
            relay.end()


def is_progress(line: str) -> bool:
    """True if a line shows only progress."""
    return _PROGRESS.fullmatch(line.encode()) is not None


class _Relay:
    """Holds progress back until it is asked for."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._rest = b""  # the beginning of a piece
        self._held: list[bytes] | None = []  # None: nothing is held back any more

    def take(self, data: bytes) -> None:
        *pieces, self._rest = _split(self._rest + data)
        pieces = [piece for piece in pieces if not _REFS.fullmatch(piece)]
        if self._held is None:
            self._job.write(b"".join(pieces))
        else:
            self._held += pieces

    def tell_all(self) -> None:
        """Write everything from now on: the command takes long."""
        held, self._held = self._held or [], None
        self._job.write(b"".join(held))

    def end(self) -> None:
        held = [piece for piece in self._held or [] if not _PROGRESS.fullmatch(piece)]
        self._job.write(b"".join([*held, self._rest]))


def _split(data: bytes) -> list[bytes]:
    """Split data into whole pieces and the rest after the last one."""
    pieces = _PIECE.findall(data)
    return [*pieces, data[sum(map(len, pieces)) :]]
