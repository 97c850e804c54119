"""The tests that jobs have reported."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter, validators

from pycurrent.cli.client.find import find_job
from pycurrent.cli.client.remote import job_path
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.tests import (
    EVERYTHING,
    JobArgument,
    Which,
    lines_of,
    nothing_found,
)
from pycurrent.store import TestCase, TestReport, TestRun, TestTrouble
from pycurrent.store.test_cases import BAD


def list_tests(
    job: JobArgument = None,
    /,
    *,
    which: Which = EVERYTHING,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    session: Given,
) -> int:
    """`pycurrent client tests`."""
    which.check(job)
    job_id = None if job is None else find_job(session.remote, job)
    path, word, kind, fields = _asked(job_id, which)
    answer: dict[str, Any] = session.remote.get(path, **fields, limit=limit)
    found = msgspec.convert(answer[word], list[kind], strict=False)  # type: ignore[valid-type]
    lines = [line for one in found for line in lines_of(one, which)]
    session.list(answer, lines, nothing_found(which, job_id))
    return ClientExit.OK


def _asked(job_id: str | None, which: Which) -> tuple[str, str, type, dict[str, Any]]:
    """The path of the API, the name of its list, what that has, and the parameters."""
    if job_id is not None:
        results = [result.value for result in BAD] if which.failed else None
        fields = {
            "result": results,
            "flaky": which.flaky or None,
            "slowest": which.slow or None,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        return job_path(job_id, "/tests"), "tests", TestCase, given
    if which.test is not None:
        return "/tests/runs", "runs", TestRun, {**which.jobs.fields(), "name": which.test}
    if which.trouble is not None:
        return "/tests", "tests", TestTrouble, {**which.jobs.fields(), "which": which.trouble}
    return "/tests/reports", "reports", TestReport, which.jobs.fields()
