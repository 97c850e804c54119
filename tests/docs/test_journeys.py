"""The journeys through the source name files and names that exist."""

import ast
import re
from itertools import pairwise

import pytest

from .source_names import SOURCE, names_of

PAGE = SOURCE.parents[1] / "docs" / "journeys.md"
STEP = re.compile(
    r"^\d+\. \[(?P<file>[^\]]+)\]\(\.\./src/pycurrent/(?P<path>[^)]+)\): "
    r"(?P<names>(?:`[^`]+`,?\s+)*`[^`]+`)\.",
    re.MULTILINE,
)


def steps() -> list[tuple[str, str]]:
    """Each file with each name that is said to be in it."""
    found = []
    for step in STEP.finditer(PAGE.read_text()):
        assert step["file"] == step["path"]
        found += [(step["path"], name) for name in re.findall(r"`([^`]+)`", step["names"])]
    return found


@pytest.mark.parametrize(("path", "name"), steps())
def test_each_name_is_in_its_file(path: str, name: str) -> None:
    """Classes, functions and methods of Python; the text of others."""
    text = (SOURCE / path).read_text()
    if path.endswith(".py"):
        assert names_of(ast.parse(text)).has(name)
    else:
        assert name in text


def test_each_step_is_checked() -> None:
    """A step names a file and something in it, and is numbered after the one before."""
    text = PAGE.read_text()
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    assert len(STEP.findall(text)) == len(numbers)
    assert numbers.count(1) == 3
    assert all(after in {before + 1, 1} for before, after in pairwise(numbers))
