"""Patterns of files: what they select, and the files found by them."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.errors import UsageError, WrongKind
from pycurrent.files.patterns import Patterns, checked_patterns, find_files

NAMES = st.sampled_from(["a", "b", ".c", "a.xml", ".d.xml", "b.json"])
PARTS = st.sampled_from(["a", "b", ".c", "*", "**", "*.xml", "{a,b}", "[ab]*", "?", "*.{xml,json}"])


def joined(parts: list[str]) -> str:
    return "/".join(parts)


PATHS = st.lists(NAMES, min_size=1, max_size=4).map(joined)
PATTERNS = st.lists(st.lists(PARTS, min_size=1, max_size=4).map(joined), min_size=1, max_size=3)


def make(folder: Path, paths: set[str]) -> set[str]:
    """Files with these paths, but for those whose folder is a file already."""
    made = set()
    for path in sorted(paths):
        file = folder / path
        if any((folder / above).is_file() for above in file.relative_to(folder).parents):
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch()
            made.add(path)
    return made


@settings(deadline=None)
@given(paths=st.sets(PATHS, max_size=12), patterns=PATTERNS)
def test_the_files_found_are_those_that_would_be_saved(
    paths: set[str], patterns: list[str]
) -> None:
    """`job.report` and `job.save` mean the same by a pattern."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make(folder, paths)
        chosen = Patterns(patterns)
        found = {path.relative_to(folder).as_posix() for path in find_files(folder, patterns)}
        assert found == {path for path in made if chosen.select_within(path)}


def test_links_and_the_repository(tmp_path: Path) -> None:
    """Files of git are left out, as is what lies outside, whatever leads there."""
    folder = tmp_path / "in"
    make(tmp_path, {"in/.git/a.xml", "in/x/b.xml", "out/c.xml"})
    (folder / "file.xml").symlink_to("x/b.xml")
    (folder / "gone.xml").symlink_to("nothing")
    (folder / "outside.xml").symlink_to(tmp_path / "out" / "c.xml")
    (folder / "folder").symlink_to("x")
    (folder / "away").symlink_to(tmp_path / "out")

    def found(*patterns: str) -> set[str]:
        return {path.relative_to(folder).as_posix() for path in find_files(folder, patterns)}

    assert found("**/*.xml") == {"x/b.xml", "file.xml"}
    assert found("folder/*.xml", "away/*.xml", "away/c.xml", ".git") == {"folder/b.xml"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, "x= takes a pattern of files such as 'dist/\\*\\*', or a list of them, not 3"),
        ([3], "x=: a pattern of files is a text such as 'dist/\\*\\*', not 3"),
        ([], "x= takes a pattern, or several, not an empty list"),
        ("../a", "x=: '../a' is not a pattern of files within a folder"),
        ("{1..9}{1..9}{1..9}{1..9}", "x=: .* stands for more than 1,000 patterns"),
    ],
)
def test_what_can_not_be_patterns_is_refused(wrong: object, message: str) -> None:
    """By the name of the argument that was given."""
    with pytest.raises(UsageError, match=message) as raised:
        checked_patterns(wrong, "x=")
    assert isinstance(raised.value, WrongKind) is (wrong in (3, [3]))
