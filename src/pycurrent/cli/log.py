"""`pycurrent log`: shows the log of a job."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.headings import Headings
from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import StateDirOption
from pycurrent.cli.output import TerminalFilter
from pycurrent.engine.follow import LogSource, follow, watch_log
from pycurrent.errors import PycurrentError
from pycurrent.service import Records

_PIECE = 1 << 20


def log(
    job: Annotated[
        str,
        Parameter(
            help="The job's id, the beginning or the end of it, or `last` for the newest job."
        ),
    ],
    /,
    *,
    follow: Annotated[
        bool,
        Parameter(alias="-f", negative="", help="Show what is added, until the job has ended."),
    ] = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """Show the log of a job, byte for byte, whether or not an engine runs. On a terminal, colours
    are the only control sequences that are left, and groups of lines have plain headings.
    """
    with Records.open(state_dir) as records:
        job_id = records.find_job(job)
        try:
            found = records.log(job_id)
            if follow:
                asyncio.run(_follow(records, job_id, found))
            else:
                with found.open() as file, _output() as write:
                    while piece := file.read(_PIECE):
                        write(piece)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise PycurrentError(
                f"the log of job {job_id} can't be read: {error.strerror}"
            ) from error
    return 0


async def _follow(records: Records, job_id: str, log: LogSource) -> None:
    async with watch_log(log) as changed:
        ended = lambda: not records.is_running(job_id)  # noqa: E731
        with _output() as write:
            async for block in follow(log, ended=ended, changed=changed):
                write(block)
                sys.stdout.buffer.flush()


@contextmanager
def _output() -> Iterator[Callable[[bytes], object]]:
    """A function that writes to stdout; to a terminal without control sequences but colours, and
    with headings for the markers of groups.
    """
    if not sys.stdout.isatty():
        yield sys.stdout.buffer.write
        return
    headings, terminal = Headings(), TerminalFilter()
    yield lambda piece: sys.stdout.buffer.write(terminal.feed(headings.feed(piece)))
    sys.stdout.buffer.write(terminal.feed(headings.flush()) + terminal.flush())
