"""Words for answers of the API on a terminal, the same as the engine's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pycurrent.cli.client.answers import (
    EntryAnswer,
    JobAnswer,
    OutcomeAnswer,
    StageAnswer,
    WaitAnswer,
)
from pycurrent.cli.history import explained
from pycurrent.cli.output import one_line
from pycurrent.cli.text import and_others
from pycurrent.engine import JobState
from pycurrent.term import State
from pycurrent.view.formatting import duration, job_word, local_time


def moment(text: str) -> str:
    return local_time(datetime.fromisoformat(text))


def waits(wait: WaitAnswer) -> str:
    """The thing that a job waits for."""
    if wait["reason"] == "confirmation":
        return f"for confirmation (its level is {wait.get('level')})"
    if wait["reason"] == "pause":
        return one_line(f"until {wait.get('what')} is resumed ({wait.get('words')})")
    place = wait.get("place")
    where = "" if place is None else f" (place {place} in the queue)"
    return f"for a resource of pool {one_line(wait.get('pool', ''))}{where}"


def job_line(job: JobAnswer) -> str:
    """A job that has not ended, in a line."""
    began = datetime.fromisoformat(job["started"] or job["created"])
    took = duration(datetime.now(UTC) - began)
    state = "cancelling" if job["cancelled"] is not None else job_state_word(job["state"])
    wait = "" if job["wait"] is None else f" waits {waits(job['wait'])}"
    what = one_line(job["description"]) + explained("", (), job["labels"], None, job["runs_at"])
    return f"{state:<10}  {took:>12}  {job['id']}  {what}{wait}"


def state_word(name: str) -> str:
    """The word for a state of a stage, given as the API names it."""
    state = State.__members__.get(_member(name))
    return name if state is None else state.short_word


def job_state_word(name: str) -> str:
    """The word for a state of a job, given as the API names it."""
    state = JobState.__members__.get(_member(name))
    return name if state is None else job_word(state)


def _member(name: str) -> str:
    return name.upper().replace("-", "_")


def end_word(entry: EntryAnswer) -> str:
    """The word for how a job ended."""
    return "not ended" if entry["end"] is None else entry["end"].replace("-", " ")


def entry_line(entry: EntryAnswer) -> str:
    """A job that has ended, in a line."""
    when = moment(entry["finished"] or entry["created"])
    took = "" if entry["took"] is None else duration(timedelta(seconds=entry["took"]))
    what = one_line(f"{entry['op']} {entry['key']}")
    more = explained(what, entry["paths"], entry["labels"], entry["cause"], entry["ran_at"])
    why = "" if entry["failure"] is None else f": {one_line(entry['failure'])}"
    return f"{when}  {end_word(entry):<11}  {took:>12}  {entry['id']}  {what}{more}{why}"


def outcome_line(outcome: OutcomeAnswer, done: str) -> str:
    """The result of a command on a job; `done` is its verb."""
    job = outcome["job"]
    match outcome["outcome"]:
        case "done":
            return f"{job}  {outcome['new_job'] or done}"
        case "once-needed":
            return f"{job}  will be rebuilt once it is needed"
        case "would-be-done":
            what = outcome.get("description") or ""
            return f"{job}  would be {done.removeprefix('is ')}: {one_line(what)}"
        case "refused":
            return f"{job}  refused: {one_line(outcome['why'] or '')}"


def stage_lines(stage: StageAnswer) -> Iterator[str]:
    """A stage with its state, the reason if it failed, and its job."""
    state = stage["state"]
    if stage["update"] is not None and state == "ok":
        state = stage["update"]
    path = one_line(stage["path"])
    job = stage["job"]
    word = f"{state_word(state):<8}"
    if stage["failure"] is not None:
        more = and_others(stage.get("others", 0))
        muted = f"; {one_line(stage['note'] or '')}" if stage["state"] == "muted" else ""
        yield f"  {word} {path}{more}: {one_line(stage['failure'])}{muted}"
    elif job is not None and job["wait"] is not None:
        yield f"  {word} {path}: {waits(job['wait'])}"
    else:
        yield f"  {word} {path}"
    if stage["job_id"] is not None:
        yield f"           {stage['job_id']}"
