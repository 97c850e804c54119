"""The keys that operations have set and not retired yet."""

import sqlite3
from collections.abc import Mapping

from pycurrent.store.records import storable

SetKey = tuple[str, str]
"""The id of an operation, and the digest of a key."""


def write(
    connection: sqlite3.Connection,
    queries: Mapping[str, str],
    jobs: Mapping[SetKey, str | None],
) -> None:
    """Write the jobs that have set keys, and remove the keys of those that are None."""
    for (op, key_digest), job_id in jobs.items():
        key = storable(op), storable(key_digest)
        if job_id is None:
            connection.execute(queries["remove_to_retire"], key)
        else:
            connection.execute(queries["set_to_retire"], (*key, job_id))
