"""The glossary names code that exists, and words that it means to avoid are avoided."""

import re
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from functools import cache

import pytest

from .source_names import SOURCE, names_of_source

PAGE = SOURCE.parents[1] / "docs" / "glossary.md"

LATER: frozenset[str] = frozenset()
"""Names that are decided, and that the code does not have yet."""


def rows() -> list[tuple[str, str, str, str]]:
    """The word, its meaning, where it stands, what not to call it."""
    found = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0] != "word" and not cells[0].startswith("---"):
            found.append((cells[0], cells[1], cells[2], cells[3]))
    return found


@cache
def columns() -> frozenset[str]:
    """Each column of the database, as `table.column`, after all migrations."""
    with tempfile.NamedTemporaryFile() as file, closing(sqlite3.connect(file.name)) as database:
        for migration in sorted((SOURCE / "store" / "migrations").glob("*.sql")):
            database.executescript(migration.read_text())
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        return frozenset(
            f"{table}.{column}"
            for table in tables
            for (_, column, *_) in database.execute(f"PRAGMA table_info({table})")
        )


@pytest.mark.parametrize(
    ("word", "name"),
    [(word, name) for word, _, code, _ in rows() for name in re.findall(r"`([^`]+)`", code)],
)
def test_each_name_exists(word: str, name: str) -> None:
    """A name in the code is bound by the source, or is a column of the database."""
    assert name in LATER or names_of_source().has(name) or name in columns(), word


def test_each_word_has_one_meaning() -> None:
    """No word stands in two rows."""
    counts = Counter(word for word, *_ in rows())
    assert rows()
    assert [word for word, count in counts.items() if count > 1] == []


def test_no_word_is_both_used_and_avoided_for_the_same_thing() -> None:
    """A row does not call its own word one to avoid, and says something."""
    for word, meaning, _, avoided in rows():
        assert meaning
        assert word not in [other.strip() for other in avoided.split(",")]
