"""`pycurrent history`: lists the jobs that have run."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.ends import EndsOption, ends_of
from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import LimitOption, StateDirOption
from pycurrent.cli.output import one_line
from pycurrent.errors import UsageError
from pycurrent.service import HistoryEntry, Records
from pycurrent.view.formatting import duration, local_time


def history(
    *,
    op: Annotated[str | None, Parameter(help="Only jobs of this operation.")] = None,
    ok: Annotated[bool, Parameter(negative="", help="Only jobs that succeeded.")] = False,
    failed: Annotated[bool, Parameter(negative="", help="Only jobs that failed.")] = False,
    end: EndsOption = (),
    text: Annotated[
        str | None, Parameter(help="Only jobs with this in their key, value or result.")
    ] = None,
    date: Annotated[
        str | None,
        Parameter(metavar="DATE", help="Only jobs of this day (in UTC): 2026-11-22, or 2026-11."),
    ] = None,
    limit: LimitOption = 20,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """List the jobs that have run, the newest first: date, end, duration, id, and failure."""
    if ok and failed:
        raise UsageError("no job has both succeeded and failed: use one of --ok and --failed")
    outcome = True if ok else False if failed else None
    ends = ends_of(end)
    with Records.open(state_dir) as records:
        entries = records.history(op=op, ok=outcome, ends=ends, text=text, prefix=date, limit=limit)
        if not entries and op is not None and op not in records.operations():
            known = ", ".join(records.operations()) or "none"
            raise UsageError(f"operation {op!r} has no jobs: the operations that have are {known}")
    sys.stdout.write("".join([f"{line_of(entry)}\n" for entry in entries]))
    return 0


def line_of(entry: HistoryEntry) -> str:
    """An entry in a line: the job's id comes before the parts that may be long."""
    when = local_time(entry.finished or entry.created)
    took = "" if entry.took is None else duration(entry.took)
    what = one_line(f"{entry.op} {entry.key}")
    why = "" if entry.failure is None else f": {one_line(entry.failure)}"
    return f"{when}  {entry.end_word:<11}  {took:>12}  {entry.job_id}  {what}{why}"
