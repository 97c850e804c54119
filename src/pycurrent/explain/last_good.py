"""Finds the last good run before a job: of a stage that has used it, or else of its key."""

from __future__ import annotations

from collections.abc import Iterator

from pycurrent.store import DatabaseReader, JobEnd, JobRecord

_USES = 1000
"""How many uses of a stage are looked at."""
_STAGES = 10


def last_good_before(store: DatabaseReader, job_id: str) -> str | None:
    """The id of the last job before this one that has succeeded, for a stage that has used this
    one, or for the same key; None if there is none, or no such job.
    """
    job = store.job(job_id)
    if job is None:
        return None
    uses = store.uses_of_job(job_id, limit=_USES)
    paths = list(dict.fromkeys(use.stage for use in uses))[:_STAGES]
    for path in paths:
        for found in _before(store, path, job_id):
            if found.op == job.op and found.ended is JobEnd.OK:
                return found.job_id
    same = store.history(job.op, key=job.key, ends={JobEnd.OK}, limit=_USES)
    return next((one.job_id for one in same if one.build < job.build), None)


def _before(store: DatabaseReader, path: str, job_id: str) -> Iterator[JobRecord]:
    """The jobs that a stage has used before its last use of this one, the newest first."""
    is_before = False
    for use in store.uses_by_stage(path, limit=_USES):
        if use.job_id == job_id:
            is_before = True
        elif is_before and (found := store.job(use.job_id)) is not None:
            yield found
