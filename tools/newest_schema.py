"""Writes `store/newest.sql`, the schema that all migrations together make, for new databases.

    python -m tools.newest_schema

Run it after each change of the migrations. A test compares the two.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pycurrent.store.schema import NEWEST, migrations

_HEAD = """\
-- The schema that the migrations make, for new databases: python -m tools.newest_schema writes it.
-- The migrations say why each table is as it is.
"""


def migrated(path: Path | str) -> sqlite3.Connection:
    """A database that has gone through all migrations."""
    connection = sqlite3.connect(path, isolation_level=None)
    for script in migrations():
        connection.executescript(script.read_text(encoding="utf-8"))
    return connection


def newest() -> str:
    """The text of the file."""
    with closing(migrated(":memory:")) as connection:
        found = connection.execute(
            "SELECT sql FROM sqlite_schema"
            " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid"
        )
        return _HEAD + "".join(f"\n{sql};\n" for (sql,) in found)


if __name__ == "__main__":
    NEWEST.write_text(newest(), encoding="utf-8")
