"""The runs that a stage has used, and the runs of a key: the part of their records that tells how
steady they are. Reading all columns takes longer, and there may be many.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from pycurrent.store.records import JobEnd, Row


class RunLength(Struct, frozen=True):
    """How long a run took that a stage has used."""

    path: str
    """Of the stage, as it is stored."""
    job_id: str
    ended: JobEnd | None
    took: timedelta | None
    """None if it has not ended, or its work has not begun."""

    @classmethod
    def of_row(cls, row: Row) -> "RunLength":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        path, job_id, ended, started, finished = row
        took = None
        if started is not None and finished is not None:
            took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
        return cls(path, job_id, None if ended is None else JobEnd(ended), took)


class RunRecord(Struct, frozen=True):
    """One run. The first fields are columns of its job."""

    seq: int
    """The order of creation."""
    job_id: str
    op: str
    key_digest: str
    value_digest: str | None
    build: int
    ended: JobEnd | None
    cause: str | None
    """Why it was run, as JSON."""
    at: datetime
    """When it ended, or was created if it has not; for a stage that came to use it later: when that
    was. Aware, in UTC.
    """

    @classmethod
    def of_row(cls, row: Row) -> "RunRecord":
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        seq, job_id, op, key_digest, value_digest, build, ended, cause, at = row
        return cls(
            seq=seq,
            job_id=job_id,
            op=op,
            key_digest=key_digest,
            value_digest=value_digest,
            build=build,
            ended=None if ended is None else JobEnd(ended),
            cause=cause,
            at=datetime.fromisoformat(at),
        )
