"""`pycurrent coverage`: how much of the source the tests of jobs have run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from cyclopts import Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import AsJsonOption, LimitOption, StateDirOption
from pycurrent.cli.output import one_line, write_list
from pycurrent.cli.reported_by import ALL_JOBS, ReportedBy
from pycurrent.errors import UsageError
from pycurrent.service import Records
from pycurrent.store import Coverage, CoverageReport, FileCoverage
from pycurrent.store.coverage import change_text, percent_text
from pycurrent.view.formatting import local_time

JobArgument: TypeAlias = Annotated[
    str | None,
    Parameter(
        help="Show the coverage of this job by file: its id, the beginning or the end of it, or"
        " `last`."
    ),
]


def list_coverage(
    job: JobArgument = None,
    /,
    *,
    which: ReportedBy = ALL_JOBS,
    limit: LimitOption = 20,
    as_json: AsJsonOption = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """List the jobs that have reported coverage, the newest first, each with what it has gained or
    lost since the last Ok job of its stage before; or the files of one job, those first of which
    most lines were not run.
    """
    check(job, which)
    with Records.open(state_dir) as records:
        if job is None:
            job_id, files = None, []
            reports = records.coverage.reports(limit=limit, **which.filters())
        else:
            job_id = records.find_job(job)
            report = records.coverage.of_job(job_id)
            reports = [] if report is None else [report]
            files = records.coverage.files_of_job(job_id)[:limit]
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(_json(job_id, reports, files))).decode()
        sys.stdout.write(f"{text}\n")
    else:
        write_list(lines_of(reports, files), nothing_found(job_id, which))


def check(job: str | None, which: ReportedBy) -> None:
    """Raise `UsageError` for what contradicts itself."""
    if job is not None and not which.is_any:
        raise UsageError(
            "a job has its coverage: --op, --since, --path and --label don't go with it"
        )


def lines_of(reports: Sequence[CoverageReport], files: Sequence[FileCoverage]) -> list[str]:
    """The jobs, and the files of one, for people."""
    return [*map(_line, reports), *map(_file_line, files)]


def nothing_found(job_id: str | None, which: ReportedBy) -> str:
    """The words for an empty list."""
    if job_id is not None:
        return f"job {job_id} has reported no coverage"
    return "no job has reported coverage" if which.is_any else "no job with coverage matches"


def _line(report: CoverageReport) -> str:
    change = "" if report.change is None else change_text(report.change)
    what = one_line(f"{report.op} {report.key}")
    when = local_time(report.at)
    return f"{when}  {_percent(report.coverage)}  {change:>6}  {report.job_id}  {what}"


def _file_line(file: FileCoverage) -> str:
    coverage = file.coverage
    return (
        f"{_percent(coverage)}  {coverage.covered:>6,} of {coverage.lines:<6,}"
        f"  {one_line(file.path)}"
    )


def _percent(coverage: Coverage) -> str:
    return f"{'' if coverage.percent is None else percent_text(coverage.percent):>7}"


def _json(
    job_id: str | None, reports: Sequence[CoverageReport], files: Sequence[FileCoverage]
) -> dict[str, Any]:
    """As the API has it."""
    shown = [_report_json(report) for report in reports]
    if job_id is None:
        return {"reports": shown}
    by_file = [{"path": file.path, "coverage": _figure_json(file.coverage)} for file in files]
    return {"report": shown[0] if shown else None, "files": by_file}


def _report_json(report: CoverageReport) -> dict[str, Any]:
    before = None if report.before is None else _figure_json(report.before)
    return {
        **msgspec.to_builtins(report, builtin_types=()),
        "coverage": _figure_json(report.coverage),
        "before": before,
        "change": report.change,
    }


def _figure_json(coverage: Coverage) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(coverage),
        "percent": coverage.percent,
        "branch_percent": coverage.branch_percent,
    }
