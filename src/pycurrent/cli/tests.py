"""`pycurrent tests`: the tests that jobs have reported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
from cyclopts import Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import AsJsonOption, LimitOption, StateDirOption
from pycurrent.cli.output import one_line, write_list
from pycurrent.cli.reported_by import ALL_JOBS, ReportedBy
from pycurrent.errors import UsageError
from pycurrent.service import Records
from pycurrent.store import TestCase, TestReport, TestRun, TestTables, TestTrouble
from pycurrent.store.test_cases import BAD
from pycurrent.view.formatting import local_time, plural, seconds

JobArgument: TypeAlias = Annotated[
    str | None,
    Parameter(
        help="List the tests of this job: its id, the beginning or the end of it, or `last`."
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Which:
    """Selects tests, and the jobs that have reported them."""

    failed: Annotated[
        bool,
        Parameter(
            negative="",
            help="List those that failed: in the newest 100 jobs with tests, or in the job.",
        ),
    ] = False
    flaky: Annotated[
        bool,
        Parameter(negative="", help="List those that failed and passed for the same."),
    ] = False
    slow: Annotated[bool, Parameter(negative="", help="List those that take longest.")] = False
    test: Annotated[
        str | None,
        Parameter(metavar="NAME", help="List the runs of this test: its name, or `suite: name`."),
    ] = None

    jobs: ReportedBy = ALL_JOBS

    def check(self, job: str | None) -> None:
        """Raise `UsageError` for what contradicts itself."""
        if sum((self.failed, self.flaky, self.slow, self.test is not None)) > 1:
            raise UsageError("give one of --failed, --flaky, --slow and --test")
        if job is not None and not (self.jobs.is_any and self.test is None):
            raise UsageError(
                "a job has its tests: --test, --op, --since, --path and --label don't go with it"
            )

    @property
    def trouble(self) -> str | None:
        """The word for the trouble of the tests that are wanted; None for any."""
        return "flaky" if self.flaky else "slow" if self.slow else "failed" if self.failed else None


EVERYTHING = Which()


def list_tests(
    job: JobArgument = None,
    /,
    *,
    which: Which = EVERYTHING,
    limit: LimitOption = 20,
    as_json: AsJsonOption = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """List the jobs that have reported tests, the newest first, with how many passed and failed; or
    the tests of one job; or those of all jobs that failed, that are flaky, or that are slow.
    """
    which.check(job)
    with Records.open(state_dir) as records:
        job_id = None if job is None else records.find_job(job)
        found = _found(records.tests, job_id, which, limit)
    if as_json:
        text = msgspec.json.format(msgspec.json.encode({_word(which, job): found})).decode()
        sys.stdout.write(f"{text}\n")
    else:
        lines = [line for one in found for line in lines_of(one, which)]
        write_list(lines, nothing_found(which, job_id))


def _found(
    tests: TestTables, job_id: str | None, which: Which, limit: int
) -> Sequence[TestCase | TestReport | TestRun | TestTrouble]:
    filters = which.jobs.filters()
    if job_id is not None:
        results = BAD if which.failed else ()
        return tests.of_job(
            job_id, results=results, flaky=which.flaky, slowest=which.slow, limit=limit
        )
    if which.test is not None:
        return tests.runs(which.test, limit=limit, **filters)
    if which.failed:
        return tests.failed(limit=limit, **filters)
    if which.flaky:
        return tests.flaky(limit=limit, **filters)
    if which.slow:
        return tests.slow(limit=limit, **filters)
    return tests.reports(limit=limit, **filters)


def _word(which: Which, job: str | None) -> str:
    if job is not None or which.trouble is not None:
        return "tests"
    return "reports" if which.test is None else "runs"


def nothing_found(which: Which, job_id: str | None) -> str:
    """The words for an empty list."""
    if job_id is not None:
        return f"job {job_id} has reported no {which.trouble or ''} test".replace("  ", " ")
    if which.test is not None:
        return f"no job has reported a test {which.test!r}"
    if which.jobs.filters():
        return "no test matches" if which.trouble else "no job with tests matches"
    return {
        None: "no job has reported tests",
        "failed": "no test has failed",
        "flaky": "no test is flaky",
        "slow": "no job has reported how long its tests take",
    }[which.trouble]


def lines_of(found: TestCase | TestReport | TestRun | TestTrouble, which: Which) -> list[str]:
    """One of the things that are listed, for people."""
    match found:
        case TestCase():
            name = one_line(f"{found.full_name}{_where(found.file, found.line)}")
            head = f"{_result(found):<7}  {seconds(found.took):>10}  {name}"
            return [head, *_said(found.message)]
        case TestReport():
            what = one_line(f"{found.op} {found.key}")
            return [f"{local_time(found.at)}  {found.job_id}  {found.counts}  {what}"]
        case TestRun():
            head = (
                f"{local_time(found.at)}  {_result(found.case):<7}  {seconds(found.case.took):>10}"
            )
            return [f"{head}  {found.job_id}", *_said(found.case.message)]
        case TestTrouble():
            return _trouble_lines(found, which)


def _trouble_lines(found: TestTrouble, which: Which) -> list[str]:
    where = one_line(f"{found.full_name}{_where(found.file, found.line)}")
    if which.slow:
        return [f"{seconds(found.took):>10}  {plural(found.times, 'run'):>10}  {where}"]
    often = f"{found.times} of {plural(found.runs, 'run')}"
    head = f"{local_time(found.at)}  {often:>13}  {found.newest}  {where}"
    return [head, *_said(found.message)]


def _result(case: TestCase) -> str:
    return "flaky" if case.is_flaky else case.result.value


def _where(file: str | None, line: int | None) -> str:
    if file is None:
        return ""
    return f" ({file})" if line is None else f" ({file}:{line})"


def _said(message: str | None) -> list[str]:
    return [f"    {one_line(message)}"] if message else []
