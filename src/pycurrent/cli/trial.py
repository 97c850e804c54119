"""The trial of a program before it takes the place of an engine that is at work.

The engine starts its own command line once more, in a child process that knows by a variable that
it is a trial: it does all that may fail before an engine begins, and begins none. So the program is
tried with the interpreter, the packages and the files that are there now.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from pycurrent.cli.pipeline_command import Call
from pycurrent.cli.run_options import RunOptions
from pycurrent.cli.site import check_site
from pycurrent.cli.stop import TRIAL, UPGRADE, StopRequest
from pycurrent.store import StateDir
from pycurrent.store.schema import check_known

_PASSED = "pycurrent: this program can be started"
"""The last line that it prints."""
LONGEST = 60.0
"""Seconds that it may take."""


def try_out(call: Call, options: RunOptions) -> int:
    """In the process of a trial: look at all that has to be right before an engine begins. Raises
    `PycurrentError`.
    """
    options.config(keep=call.extras.keep)
    check_site(options, call.extras.site, Path(call.name).stem)
    check_known(StateDir.read(options.state_dir).database)
    sys.stdout.write(f"{_PASSED}\n")
    return 0


async def refusal(request: StopRequest, longest: float = LONGEST) -> str | None:
    """Why the program can't be started again, in one line. None if it can be; or if another signal
    came meanwhile: then `request` has that.
    """
    trial = asyncio.ensure_future(_tried(longest))
    try:
        while not trial.done():
            request.forget()
            another = asyncio.ensure_future(request.wait())
            await asyncio.wait((trial, another), return_when=asyncio.FIRST_COMPLETED)
            another.cancel()
            if request.signal not in {None, UPGRADE}:
                return None
        request.signal = UPGRADE
        return trial.result()
    finally:
        trial.cancel()
        await asyncio.wait((trial,))


async def _tried(longest: float) -> str | None:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *sys.orig_argv[1:],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, TRIAL: "1"},
            start_new_session=True,
        )
    except OSError as error:
        return f"{sys.executable} can't be started: {error.strerror}"
    try:
        async with asyncio.timeout(longest):
            said, complained = await process.communicate()
    except TimeoutError:
        return f"its program has not come to a pipeline after {longest:g} s"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if not process.returncode and _PASSED in said.decode(errors="replace").splitlines():
        return None
    lines = complained.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return (
        last.removeprefix("pycurrent: ")
        or f"its program ends with status {process.returncode}, and does not say why"
    )
