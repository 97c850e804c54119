from pathlib import Path

import pytest

from .run import EXAMPLES

TESTS = EXAMPLES.parent / "tests" / "examples"


@pytest.mark.parametrize(
    ("limit", "files"),
    [
        (70, [EXAMPLES / "matrix.py"]),
        (60, [EXAMPLES / "monorepo.py"]),
        (80, [EXAMPLES / "forge_ci.py"]),
        (120, [EXAMPLES / "deployer.py"]),
        (30, [EXAMPLES / "make_like.py"]),
        (40, [EXAMPLES / "embedded.py"]),
        (110, [EXAMPLES / "http_plugin.py", TESTS / "test_http_plugin.py"]),
    ],
)
def test_what_people_copy_stays_short(limit: int, files: list[Path]) -> None:
    """All lines count but blank ones."""
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len([line for line in lines if line.strip()]) <= limit
