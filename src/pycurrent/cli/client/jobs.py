"""The jobs that have not ended, one of them, and the commands on jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import JobDetailAnswer, OutcomeAnswer, OutcomesAnswer
from pycurrent.cli.client.failures import ALL_FAILURES, FailureFilter
from pycurrent.cli.client.find import active_jobs, find_job
from pycurrent.cli.client.formatting import (
    end_word,
    job_line,
    job_state_word,
    moment,
    outcome_line,
    waits,
)
from pycurrent.cli.client.remote import job_path
from pycurrent.cli.client.session import Given, Session
from pycurrent.cli.client.status import CantBeDone, ClientExit
from pycurrent.cli.job_filter import ALL_STAGES, UsedBy
from pycurrent.cli.options import reading
from pycurrent.cli.output import one_line
from pycurrent.cli.text import size
from pycurrent.cli.values import time_to_come
from pycurrent.errors import UsageError
from pycurrent.view.formatting import duration

JobText = Annotated[
    str,
    Parameter(help="The job's id, the beginning or the end of it, or `last` for the newest job."),
]
JobTexts = Annotated[
    tuple[str, ...],
    Parameter(
        name="JOB",
        negative="",
        help="The ids of jobs, their beginnings or ends, or `last` for the newest job.",
    ),
]

ReasonOption = Annotated[
    str | None,
    Parameter(name="--reason", help="Why: for the audit and the logs of the jobs."),
]

UntilOption = Annotated[
    datetime | None,
    Parameter(
        name="--until",
        metavar="TIME",
        converter=reading(time_to_come),
        n_tokens=1,
        help="When it ends by itself: 2h (from now), 2026-11-22T08:47; without it, never.",
    ),
]


DryRunOption = Annotated[
    bool, Parameter(name="--dry-run", negative="", help="Only say what would be done.")
]


def jobs(*, used_by: UsedBy = ALL_STAGES, session: Given) -> int:
    """`pycurrent client jobs`."""
    fields = used_by.fields()
    answer = active_jobs(session.remote, **fields)
    nothing = "no job matches" if fields else "no job is waiting or running"
    session.list(answer, [job_line(job) for job in answer["jobs"]], nothing)
    return ClientExit.OK


def status(job: JobText, /, *, session: Given) -> int:
    """`pycurrent client status`."""
    answer: JobDetailAnswer = session.remote.get(job_path(find_job(session.remote, job)))
    session.say(answer, _facts(answer))
    return status_of(answer)


def status_of(job: JobDetailAnswer) -> ClientExit:
    """The exit status for a job."""
    match job["entry"]["end"]:
        case "ok":
            return ClientExit.OK
        case None:
            return ClientExit.UNKNOWN
        case _:
            return ClientExit.FAILED


def _facts(answer: JobDetailAnswer) -> Iterator[str]:
    entry, active = answer["entry"], answer["active"]
    state = end_word(entry) if active is None else job_state_word(active["state"])
    facts: list[tuple[str, str | None]] = [
        ("job", answer["id"]),
        ("what", answer["description"]),
        ("state", state),
        ("cancelled", None if active is None else active["cancelled"]),
        ("waits", None if active is None or active["wait"] is None else waits(active["wait"])),
        ("failure", entry["failure"]),
        ("operation", entry["op"]),
        ("key", entry["key"]),
        ("build", str(entry["build"])),
        ("level", entry["level"]),
        ("created", moment(entry["created"])),
        ("started", None if entry["started"] is None else moment(entry["started"])),
        ("finished", None if entry["finished"] is None else moment(entry["finished"])),
        ("took", None if entry["took"] is None else duration(timedelta(seconds=entry["took"]))),
        ("pool", entry["pool"]),
        ("ran at", entry["ran_at"]),
        ("cpu", None if entry["cpu"] is None else duration(timedelta(seconds=entry["cpu"]))),
        ("memory", None if entry["memory"] is None else size(entry["memory"])),
        ("needed by", ", ".join(answer["stages"]) or None),
    ]
    facts += [
        ("removed", f"its {one['part']}, at {moment(one['at'])}, by {one['rule']}")
        for one in answer["removed"]
    ]
    for name, value in facts:
        if value is not None:
            yield f"{name + ':':<11} {one_line(value)}"


def approve(jobs: JobTexts, /, *, reason: ReasonOption = None, session: Given) -> int:
    """`pycurrent client approve`."""
    return _each(session, jobs, "approve", "is approved", reason)


def cancel(
    jobs: JobTexts = (),
    /,
    *,
    used_by: UsedBy = ALL_STAGES,
    dry_run: DryRunOption = False,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client cancel`."""
    fields = used_by.fields()
    if bool(jobs) is bool(fields):
        raise UsageError(
            "say which jobs are to be cancelled: by their ids, or by --label or --path"
        )
    if jobs and not dry_run:
        return _each(session, jobs, "cancel", "is cancelled", reason)
    asked: dict[str, object] = {"dry_run": dry_run, "reason": reason}
    if jobs:
        asked["ids"] = [find_job(session.remote, text) for text in jobs]
    else:
        asked["filter"] = fields
    return tell(session, session.remote.post("/cancel", asked), "is cancelled")


def _each(session: Session, texts: Sequence[str], act: str, done: str, reason: str | None) -> int:
    outcomes = [_one(session, find_job(session.remote, text), act, reason) for text in texts]
    return tell(session, {"outcomes": outcomes, "complete": True}, done)


def _one(session: Session, job_id: str, act: str, reason: str | None) -> OutcomeAnswer:
    try:
        answer: OutcomeAnswer = session.remote.post(job_path(job_id, f"/{act}"), {"reason": reason})
    except CantBeDone as refusal:
        return {"job": job_id, "outcome": "refused", "new_job": None, "why": str(refusal)}
    return answer


def rebuild(
    jobs: JobTexts = (),
    /,
    *,
    failures: FailureFilter = ALL_FAILURES,
    dry_run: DryRunOption = False,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client rebuild`."""
    fields = failures.fields()
    if bool(jobs) is bool(fields):
        raise UsageError(
            "say which jobs are to be rebuilt: by their ids, or by --kind, --fingerprint, --since,"
            " --label or --path"
        )
    asked: dict[str, object] = {"dry_run": dry_run, "reason": reason}
    if jobs:
        ids = [find_job(session.remote, text) for text in jobs]
        return tell(session, session.remote.post("/rebuild", {"ids": ids, **asked}), "is rebuilt")
    answer = session.remote.post("/failures/rebuild", {**fields, **asked})
    return tell(session, answer, "is rebuilt")


def tell(session: Session, answer: OutcomesAnswer, done: str) -> int:
    """Print the results of a command on jobs; `done` is its verb."""
    outcomes = answer["outcomes"]
    session.list(answer, [outcome_line(one, done) for one in outcomes], "no job matches")
    if not answer["complete"]:
        session.hint(f"more jobs match, and were left alone: these are {len(outcomes):,}")
    refused = any(outcome["outcome"] == "refused" for outcome in outcomes)
    return ClientExit.REFUSED if refused else ClientExit.OK
