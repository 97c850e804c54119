"""How answers of the API are put into words on a terminal: as those of the engine itself are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pycurrent.cli.client.answers import Entry, Job, Outcome, Stage, Wait
from pycurrent.cli.output import one_line
from pycurrent.service.words import duration, local_time


def moment(text: str) -> str:
    return local_time(datetime.fromisoformat(text))


def waits(wait: Wait) -> str:
    """What for."""
    if wait["reason"] == "confirmation":
        return f"for confirmation (its level is {wait.get('level')})"
    place = wait.get("place")
    where = "" if place is None else f" (place {place} in the queue)"
    return f"for a resource of pool {one_line(wait.get('pool', ''))}{where}"


def job_line(job: Job) -> str:
    """A job that has not ended, in a line."""
    began = datetime.fromisoformat(job["started"] or job["created"])
    took = duration(datetime.now(UTC) - began)
    state = (
        "cancelling" if job["cancelled"] is not None else _STATES.get(job["state"], job["state"])
    )
    wait = "" if job["wait"] is None else f" waits {waits(job['wait'])}"
    return f"{state:<10}  {took:>12}  {job['id']}  {one_line(job['description'])}{wait}"


_STATES = {"created": "starting", "waiting-for-confirmation": "waiting"}


def entry_line(entry: Entry) -> str:
    """A job that has ended, in a line."""
    when = moment(entry["ended"] or entry["created"])
    took = "" if entry["took"] is None else duration(timedelta(seconds=entry["took"]))
    what = one_line(f"{entry['op']} {entry['key']}")
    why = "" if entry["failure"] is None else f": {one_line(entry['failure'])}"
    return f"{when}  {entry['ending']:<11}  {took:>12}  {entry['id']}  {what}{why}"


def outcome_line(outcome: Outcome, done: str) -> str:
    """What has become of a command on a job; `done` is what it did."""
    job = outcome["job"]
    match outcome["outcome"]:
        case "done":
            return f"{job}  {outcome['new_job'] or done}"
        case "once-needed":
            return f"{job}  will be rebuilt once it is needed"
        case "refused":
            return f"{job}  refused: {one_line(outcome['why'] or '')}"


def stage_lines(stage: Stage) -> Iterator[str]:
    """What a stage is at, or why it failed, and its job."""
    state = stage["state"]
    if stage["update"] is not None and state == "ok":
        state = stage["update"]
    label = one_line(stage["label"])
    job = stage["job"]
    if stage["state"] == "failed" and stage["failure"] is not None:
        yield f"  {state:<8} {label}: {one_line(stage['failure'])}"
    elif job is not None and job["wait"] is not None:
        yield f"  waiting  {label}: {waits(job['wait'])}"
    else:
        yield f"  {state:<8} {label}"
    if stage["job_id"] is not None:
        yield f"           {stage['job_id']}"
