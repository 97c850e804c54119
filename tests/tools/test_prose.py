"""The linter for prose reads the passages of a file and finds what its rules describe."""

from pathlib import Path

import pytest
from tools.prose import Config, Kind, Passage, Prose, check, main, passages_of

PYTHON = '''"""What a module does."""

# A comment
# of two lines. What is long is split.
x = 1  # trailing


def f(path):
    """The file, or None."""
    raise ValueError(f"the {path} is no file, so it is refused")
'''

MARKDOWN = """# A title

A paragraph that is
two lines long, with `code that is no prose`.

```python
x = "this is no prose"
```

| cell | what is no cell |
|---|---|

- One item.
- Another. What is odd is told.
"""


def prose(root: Path, ceiling: int = 0) -> Prose:
    """The prose of a folder, with the rules that `make lint` uses."""
    config = Config.read()
    ceilings = {"a/": ceiling}
    return Prose(root, Config(["**/*"], ["b/*"], config.rules, config.proselint, ceilings))


def found(root: Path) -> list[tuple[str, int, str]]:
    return [(str(it.path), it.line, it.rule) for it in prose(root).findings]


def test_python_has_docstrings_comments_and_messages() -> None:
    """Each with the line on which it begins, and with an X for what an f-string fills in."""
    passages = passages_of(Path("x.py"), PYTHON)

    assert sorted(passages, key=lambda it: it.line) == [
        Passage(Kind.DOCSTRING, 1, "What a module does."),
        Passage(Kind.COMMENT, 3, "A comment\nof two lines. What is long is split."),
        Passage(Kind.COMMENT, 5, "trailing"),
        Passage(Kind.DOCSTRING, 9, "The file, or None."),
        Passage(Kind.MESSAGE, 10, "the X is no file, so it is refused"),
    ]


def test_markdown_has_paragraphs_items_and_cells() -> None:
    """Blocks of code are left out, and code within a line is an X."""
    passages = [it for it in passages_of(Path("x.md"), MARKDOWN) if it.text.strip("-")]

    assert [(it.line, it.text) for it in passages] == [
        (1, "A title"),
        (3, "A paragraph that is\ntwo lines long, with X."),
        (10, "cell"),
        (10, "what is no cell"),
        (13, "One item."),
        (14, "Another. What is odd is told."),
    ]


@pytest.mark.parametrize(
    ("name", "text", "comment"),
    [
        ("x.js", "const x = 'http://a'; // of a line\n", "of a line"),
        ("x.css", "/* of a style */ a { color: red }\n", "of a style "),
        ("x.sql", "-- of a table\nSELECT 1;\n", "of a table"),
        ("x.toml", "x = 1\n# of a value\n", "of a value"),
        ("Makefile", "x:  ## of a target\n", "of a target"),
    ],
)
def test_comments_of_other_languages(name: str, text: str, comment: str) -> None:
    """The text behind the signs that begin a comment there."""
    assert [it.text for it in passages_of(Path(name), text)] == [comment]


def test_places_are_told_by_file_line_and_rule(tmp_path: Path) -> None:
    """The line is that of the match, not that of its passage."""
    (tmp_path / "x.py").write_text(PYTHON)
    (tmp_path / "y.md").write_text(MARKDOWN)

    assert found(tmp_path) == [
        ("x.py", 1, "opener"),
        ("x.py", 4, "what-is"),
        ("x.py", 10, "is-no"),
        ("y.md", 10, "is-no"),
        ("y.md", 14, "what-is"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "What differs?",
        "There is no Python here.",
        "It is no longer needed.",
        "This is what it prints.",
    ],
)
def test_good_english_is_left_alone(tmp_path: Path, text: str) -> None:
    """Questions, and 'no' where it belongs."""
    (tmp_path / "x.md").write_text(f"Before that: {text}\n")

    assert found(tmp_path) == []


def test_proselint_is_asked_too(tmp_path: Path) -> None:
    """For the checks that are enabled, each with the line of what it finds."""
    (tmp_path / "x.md").write_text("# Title\n\nOne.\n\nTwo lines,\nwhich last for ever.\n")

    assert found(tmp_path) == [("x.md", 6, "archaism")]


def test_files_that_are_left_out_are_not_read(tmp_path: Path) -> None:
    """By the globs under `without`."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.md").write_text("It is no file.\n")

    assert [path for path, *_ in found(tmp_path)] == ["a/x.md"]


@pytest.mark.parametrize(("ceiling", "status"), [(0, 1), (1, 1), (2, 0), (3, 0)])
def test_more_than_the_ceiling_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ceiling: int, status: int
) -> None:
    """Each place is printed then. Fewer than the ceiling are allowed, with a hint to lower it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.md").write_text("It is no file.\n\nThey are no files.\n")

    assert check(prose(tmp_path, ceiling)) == status
    said = capsys.readouterr().out
    assert ("a/x.md:3: is-no: 'are no'" in said) == (status == 1)
    assert ("only 2: lower its ceiling of 3" in said) == (ceiling == 3)


def test_counts_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """With a line for each part that has some, and the sum."""
    assert main(["--counts"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("in all")
