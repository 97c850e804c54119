"""Reads the named statements of `queries.sql`."""

from pathlib import Path

_FILE = Path(__file__).with_name("queries.sql")
_NAME = "-- name:"


def load_queries() -> dict[str, str]:
    """Each statement of `queries.sql` by its name, without its comments."""
    # What stands before the first name is the file's own comment.
    _, *parts = _FILE.read_text(encoding="utf-8").split(_NAME)
    queries = {}
    for part in parts:
        name, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        queries[name.strip()] = "\n".join(lines).strip()
    return queries
