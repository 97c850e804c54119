"""`pycurrent gc`: removes old logs and history."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import replace

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import DurationOption, SizeOption, StateDirOption
from pycurrent.cli.output import complain
from pycurrent.cli.status import Exit
from pycurrent.cli.text import size
from pycurrent.errors import UsageError
from pycurrent.files import FileStore
from pycurrent.files.collecting import sweeping
from pycurrent.service import Records
from pycurrent.store import StateDir
from pycurrent.store.garbage import GarbageKind
from pycurrent.store.gc import GcMode, GcReport, collect_garbage
from pycurrent.store.keep import Part
from pycurrent.store.retaining import Taken
from pycurrent.view.formatting import plural

_SAY_AFTER = 2.0
"""Seconds before the first report of progress, and between two reports."""


def collect(
    *,
    older_than: Annotated[
        DurationOption | None,
        Parameter(help="Remove the jobs that ended longer ago: 90d, 12h, 1d12h, 4w ..."),
    ] = None,
    max_size: Annotated[
        SizeOption | None,
        Parameter(
            help="Remove the oldest saved files that are not needed until the others take no more"
            " than this: 50G, 500M ..."
        ),
    ] = None,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only say what would be removed.")
    ] = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """Remove old logs and history that are no longer needed. An engine may be running.

    Jobs that are older go, and cache folders that were not used for so long. The last result of
    each key is kept, with what explains it, and so are jobs that have not ended, and the audit. Of
    the jobs that stay, logs, files and tests go by the pipeline's rules of retention.
    """
    mode = GcMode.DRY_RUN if dry_run else GcMode.DELETE
    state = StateDir.read(state_dir)
    with Records.open(state_dir) as records:
        retention, wanted = records.retention, records.wanted()
    if max_size is not None:
        retention = replace(retention, max_size=max_size)
    if older_than is None and not retention:
        raise UsageError(
            "say what to remove: --older-than 90d, or --max-size 50G; the pipeline has no rules of"
            " retention"
        )
    report = collect_garbage(
        state,
        older_than=older_than,
        retention=retention,
        wanted=wanted,
        now=datetime.now(UTC),
        mode=mode,
        progress=Progress(),
        sweep=sweeping(FileStore(state.files)),
    )
    return _tell(report)


def _tell(report: GcReport) -> int:
    """Print what was done, and what could not be; return the status."""
    sys.stdout.write(_said(report))
    if report.still_free is not None:
        complain(f"pycurrent: the database keeps its size for now: {report.still_free}")
    for rule in report.unmatched:
        complain(f"pycurrent: no job of an operation in {rule} is recorded")
    for failure in report.failures:
        complain(f"pycurrent: can't be removed: {failure}")
    return Exit.FAILED if report.failures else Exit.OK


class Progress:
    """Reports its progress on stderr, if it takes long."""

    def __init__(self) -> None:
        self._last = monotonic()

    def __call__(self, line: str) -> None:
        if monotonic() - self._last >= _SAY_AFTER:
            self._last = monotonic()
            complain(line)


def _said(report: GcReport) -> str:
    """A line that sums up, and one for what explained jobs, if any of that goes; for a dry run,
    below it, how many jobs of which operations.
    """
    parts = [plural(report.jobs, "job"), plural(report.logs, "log")]
    parts.append(plural(report.folders, "folder"))
    total = f"{', '.join(parts)}; {size(report.log_bytes)}"
    lines = []
    if report.mode is GcMode.DELETE:
        back = f"; the database is {size(report.given_back)} smaller" if report.given_back else ""
        lines.append(f"removed {total}{back}")
    else:
        lines.append(f"would remove {total}")
    explained = [_counted(kind, count) for kind, count in report.explanations.items() if count]
    if explained:
        lines.append(f"and of what explained jobs: {', '.join(explained)}")
    if report.cache_folders:
        folders = plural(report.cache_folders, "cache folder")
        lines.append(f"and {folders}; {size(report.cache_bytes)}")
    if report.taken:
        words = [
            f"{_PARTS[part].format(plural(taken.jobs, 'job'))}{_bytes(taken)}"
            for part, taken in report.parts.items()
        ]
        lines.append(f"and of jobs whose records stay: {', '.join(words)}")
    if report.contents:
        files = plural(report.contents, "saved file")
        lines.append(f"and {files}; {size(report.content_bytes)}")
    if report.mode is GcMode.DRY_RUN:
        lines += [f"  {plural(count, 'job')} of {op}" for op, count in report.jobs_of.most_common()]
        lines += [
            f"  {_PARTS[part].format(plural(taken.jobs, 'job'))} of {op}{_bytes(taken)}: {rule}"
            for (rule, part, op), taken in sorted(report.taken.items(), key=_place)
        ]
    return "".join(f"{line}\n" for line in lines)


_PARTS = {
    Part.LOG: "the logs of {}",
    Part.FILES: "the files of {}",
    Part.TESTS: "the tests of {}",
}


def _place(taken: tuple[tuple[str, Part, str], Taken]) -> tuple[str, str, str]:
    (rule, part, op), _ = taken
    return rule, op, part.value


def _bytes(taken: Taken) -> str:
    return f" ({size(taken.bytes)})" if taken.bytes else ""


def _counted(kind: GarbageKind, count: int) -> str:
    return f"{count:,} {kind.name if count == 1 else kind.names}"
