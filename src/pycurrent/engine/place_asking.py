"""Asking a place for something other than to run a command of a job, and asking commands here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pycurrent.engine.place import RelayCommand
from pycurrent.engine.process import Processes
from pycurrent.engine.tasks import uncancellable
from pycurrent.engine.tempdirs import temporary_file

_GRACE = 1.0


class Said(Struct, frozen=True):
    """The answer of a command."""

    status: int
    out: bytes
    err: bytes


async def said(
    processes: Processes,
    tmp: Path,
    argv: Sequence[str],
    stdin: bytes = b"",
    locks: Sequence[int] = (),
) -> Said:
    """The answer of a short command on the engine's machine, which is in no job's log. If
    cancelled, it has ended before it gives way. Raises `CommandNotStarted` and `SupervisorLost`.
    """
    with temporary_file(tmp) as given, temporary_file(tmp) as out, temporary_file(tmp) as err:
        given.write(stdin)
        given.seek(0)
        process = await processes.start(
            argv,
            cwd=None,
            env=None,
            stdin=given.fileno(),
            stdout=out.fileno(),
            stderr=err.fileno(),
            grace=_GRACE,
            locks=locks,
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            process.cancel()
            await uncancellable(process.wait())
            raise
        out.seek(0)
        err.seek(0)
        return Said(status, out.read(), err.read())


async def ask(
    processes: Processes,
    tmp: Path,
    relay: RelayCommand,
    request: Mapping[str, object],
    locks: Sequence[int] = (),
) -> dict[str, Any]:
    """The answer of a relay. If cancelled, the relay has ended before it gives way."""
    whole = relay.request({"do": "call", **request})
    answer = (await said(processes, tmp, relay.argv, whole, locks)).out
    found: dict[str, Any] = {"lost": "its relay was killed"}
    return json.loads(answer) if answer else found
