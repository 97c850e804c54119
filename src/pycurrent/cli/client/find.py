"""Finds the job that an argument names."""

from __future__ import annotations

import re
from typing import Any

from pycurrent.cli.client.answers import HistoryPageAnswer, JobsAnswer
from pycurrent.cli.client.remote import Remote
from pycurrent.errors import UsageError

_WHOLE = re.compile(r"\d{4}-\d{2}-\d{2}/\d{6}-[A-Za-z0-9._-]*-[0-9a-f]{6}")
_RECENT = 1000
_LISTED = 5


def find_job(remote: Remote, text: str) -> str:
    """The id of a job: given whole, by its beginning or end, or as `last`, the newest one.

    Looks among the jobs that have not ended and the last thousand that have. Raises `UsageError`
    if it is none of them, or could be several.
    """
    if _WHOLE.fullmatch(text):
        return text
    active = active_jobs(remote)
    ended: HistoryPageAnswer = remote.get("/history", limit=_RECENT)
    known = sorted({job["id"] for job in active["jobs"]} | {job["id"] for job in ended["entries"]})
    if text == "last":
        if not known:
            raise UsageError(f"the engine at {remote.url} has run no job yet")
        return _newest(active, ended)
    matching = [id for id in known if id.startswith(text) or id.endswith(text)]
    match matching:
        case [job_id]:
            return job_id
        case []:
            raise UsageError(
                f"no recent job has an id that begins or ends with {text!r}:"
                " `pycurrent client query` and `jobs` list them"
            )
        case _:
            named = ", ".join(matching[-_LISTED:])
            raise UsageError(
                f"{len(matching)} jobs have an id that begins or ends with {text!r}: name one of"
                f" them, such as {named}"
            )


def active_jobs(remote: Remote, **fields: Any) -> JobsAnswer:
    """All jobs that have not ended, the oldest first, however many pages they take; `fields` are
    those of the filter.
    """
    answer: JobsAnswer = remote.get("/jobs", **fields)
    jobs = {job["id"]: job for job in answer["jobs"]}
    while answer["next"] is not None:
        answer = remote.get("/jobs", **fields, after=answer["next"])
        jobs.update({job["id"]: job for job in answer["jobs"]})
    return {**answer, "jobs": list(jobs.values())}


def _newest(active: JobsAnswer, ended: HistoryPageAnswer) -> str:
    created = [(job["created"], job["id"]) for job in (*active["jobs"], *ended["entries"])]
    return max(created)[1]
