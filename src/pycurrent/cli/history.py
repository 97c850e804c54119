"""`pycurrent history`: lists the jobs that have run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pycurrent.cli.job_filter import JobFilter
from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import LimitOption, StateDirOption
from pycurrent.cli.output import one_line, write_list
from pycurrent.errors import UsageError
from pycurrent.service import HistoryEntry, Records
from pycurrent.view.formatting import duration, local_time, plural

_EVERYTHING = JobFilter()
_FIRST = "never-built"
"""The cause that is not said."""


def history(
    *,
    which: JobFilter = _EVERYTHING,
    limit: LimitOption = 20,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """List the jobs that have run, the one that ended last first: date, end, duration, id, work and
    failure. In brackets: the stage that has used it, its labels, why it ran, unless it had never
    been built, and where, if not on the engine's machine.
    """
    wanted = which.filter()
    with Records.open(state_dir) as records:
        entries = records.page(wanted, limit=limit).entries
        if not entries and which.op is not None and which.op not in records.operations():
            known = ", ".join(records.operations()) or "none"
            raise UsageError(
                f"operation {which.op!r} has no jobs: the operations that have are {known}"
            )
    nothing = "no job has ended" if which == _EVERYTHING else "no job matches"
    write_list([line_of(entry) for entry in entries], nothing)
    return 0


def line_of(entry: HistoryEntry) -> str:
    """An entry in a line: the job's id comes before the parts that may be long."""
    when = local_time(entry.finished or entry.created)
    took = "" if entry.took is None else duration(entry.took)
    what = one_line(f"{entry.op} {entry.key}")
    more = explained(what, entry.paths, entry.labels, entry.cause_name, entry.ran_at)
    why = "" if entry.failure is None else f": {one_line(entry.failure)}"
    return f"{when}  {entry.end_word:<11}  {took:>12}  {entry.job_id}  {what}{more}{why}"


def explained(
    what: str,
    paths: Sequence[str],
    labels: Mapping[str, str],
    cause: str | None,
    ran_at: str | None,
) -> str:
    """The stage, the labels, the cause and the place of a job, in brackets; empty if there is
    nothing to say but `what` it was.
    """
    parts = [] if [what] == [*paths] else [*paths[:1]]
    if len(paths) > 1:
        parts.append(f"and {plural(len(paths) - 1, 'more stage')}")
    parts += [f"{name}={value}" for name, value in labels.items()]
    if cause is not None and cause != _FIRST:
        parts.append(cause)
    if ran_at is not None:
        parts.append(f"at {ran_at}")
    return f"  [{one_line(' '.join(parts))}]" if parts else ""
