"""The measures of the source count what they say."""

from pathlib import Path

import pytest
from tools.house import ROOT, Tree, journeys, measures, strongly_connected

A = '''"""What it is."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from house.b import B


class Same:
    def long(self) -> None:
        # It is no class.
        print()
        print()
'''
B = '''"""A module."""

from house import a


class Same:
    pass


class B:
    pass


def use() -> None:
    print(a)
'''


@pytest.fixture
def found(tmp_path: Path) -> dict[str, str]:
    """The measures of a tree of two modules."""
    folder = tmp_path / "src" / "house"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "a.py").write_text(A)
    (folder / "b.py").write_text(B)
    return dict(measures(Tree.read(tmp_path)))


def test_sizes(found: dict[str, str]) -> None:
    """Of files, functions and classes, the longest by name."""
    assert found["files of Python"] == "3"
    assert found["longest function"] == "4 long"
    assert found["longest class"] == "5 Same"
    assert found["longest file"] == "15 house.b"


def test_names_and_circles(found: dict[str, str]) -> None:
    """Imports for the type checker count, too."""
    assert found["classes with the same name"] == "1 Same"
    assert found["import circles"] == "1 of 2 modules, the largest of 2"
    assert found["largest circle"] == "house.a house.b"


def test_english(found: dict[str, str]) -> None:
    """Lines and docstrings of the counted kinds."""
    assert found["lines of kind is-no"] == "1"
    assert found["docstrings of kind opener"] == "1"


def test_the_journeys_are_made() -> None:
    """Each of them, in this version."""
    found = dict(journeys(Tree.read(ROOT)))
    assert len(found) == 9
    assert "-" not in found.values()


def test_circles_are_told_apart() -> None:
    """Two circles are two, although one leads to the other."""
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}, "e": {"a"}}
    parts = sorted(sorted(part) for part in strongly_connected(graph))
    assert parts == [["a", "b"], ["c", "d"], ["e"]]
