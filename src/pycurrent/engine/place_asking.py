"""Asking a place for something, other than to run a command."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pycurrent.engine.place import RelayCommand
from pycurrent.engine.process import Processes
from pycurrent.engine.tasks import uncancellable
from pycurrent.engine.tempdirs import temporary_file

_GRACE = 1.0


async def ask(
    processes: Processes,
    tmp: Path,
    relay: RelayCommand,
    request: Mapping[str, object],
    locks: Sequence[int] = (),
) -> dict[str, Any]:
    """The answer of a relay. If cancelled, the relay has ended before it gives way."""
    with (
        temporary_file(tmp) as asked,
        temporary_file(tmp) as answer,
        temporary_file(tmp) as errors,
    ):
        asked.write(relay.request({"do": "call", **request}))
        asked.seek(0)
        process = await processes.start(
            relay.argv,
            cwd=None,
            env=None,
            stdin=asked.fileno(),
            stdout=answer.fileno(),
            stderr=errors.fileno(),
            grace=_GRACE,
            locks=locks,
        )
        try:
            await process.wait()
        except asyncio.CancelledError:
            process.cancel()
            await uncancellable(process.wait())
            raise
        size = answer.seek(0, os.SEEK_END)
        answer.seek(0)
        found: dict[str, Any] = {"lost": "its relay was killed"}
        return json.loads(answer.read()) if size else found
