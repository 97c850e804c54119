"""New databases for the engines of tests, copied from one that is made once in a process.

To make a database is half of the start of an engine, as it is brought from its first schema to the
newest. It is the same each time.
"""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pycurrent.store import Sharing, StateDir
from pycurrent.store.schema import open_for_writing


def lay_database(state_dir: Path | str) -> None:
    """Put a new database into a state directory, which is made, unless it has one.

    Raises `StateDirError` as an engine would.
    """
    if Path(state_dir, "db", "pycurrent.db").exists():
        return
    with StateDir.open(state_dir) as state:
        file = Sharing.OWNER.make_file(state.database, os.O_WRONLY | os.O_EXCL)
        with os.fdopen(file, "wb") as database:
            database.write(_new())


@cache
def _new() -> bytes:
    with TemporaryDirectory(prefix="pycurrent-") as folder:
        path = Path(folder) / "new.db"
        open_for_writing(path, busy_seconds=0).close()
        return path.read_bytes()
