"""The last lines of a job's log, for places where nobody can look at it, such as cron or CI."""

from __future__ import annotations

import os
from pathlib import Path

from pycurrent.cli.output import for_terminal
from pycurrent.errors import PycurrentError

LINES = 20
_BYTES = 64 * 1024
_LONGEST = 2000


def last_lines(state_dir: Path, job_id: str) -> list[str]:
    """The last lines, without control sequences; empty if the log can't be read."""
    # Only here, because a run in which nothing fails needs none of it.
    from pycurrent.service import Records

    try:
        with Records.open(state_dir) as records, records.log(job_id).open() as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _BYTES))
            text = file.read(_BYTES)
    except (OSError, PycurrentError):
        return []
    lines = for_terminal(text).decode(errors="replace").splitlines()
    if size > _BYTES:
        lines = lines[1:]  # that one may have lost its beginning
    return [line.rstrip()[:_LONGEST] for line in lines[-LINES:]]
