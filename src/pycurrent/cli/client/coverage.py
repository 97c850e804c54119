"""The coverage that jobs have reported."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter, validators

from pycurrent.cli.client.find import find_job
from pycurrent.cli.client.remote import job_path
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.coverage import JobArgument, check, lines_of, nothing_found
from pycurrent.cli.reported_by import ALL_JOBS, ReportedBy
from pycurrent.store import CoverageReport, FileCoverage


def list_coverage(
    job: JobArgument = None,
    /,
    *,
    which: ReportedBy = ALL_JOBS,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    session: Given,
) -> int:
    """`pycurrent client coverage`."""
    check(job, which)
    job_id = None if job is None else find_job(session.remote, job)
    answer: dict[str, Any]
    if job_id is None:
        answer = session.remote.get("/coverage", **which.fields(), limit=limit)
        reports, files = answer["reports"], []
    else:
        answer = session.remote.get(job_path(job_id, "/coverage"), limit=limit)
        reports = [] if answer["report"] is None else [answer["report"]]
        files = answer["files"]
    lines = lines_of(
        msgspec.convert(reports, list[CoverageReport], strict=False),
        msgspec.convert(files, list[FileCoverage]),
    )
    session.list(answer, lines, nothing_found(job_id, which))
    return ClientExit.OK
