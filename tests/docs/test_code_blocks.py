"""Every code block of the documentation does what the page says.

The blocks of a page are run in their order, in one temporary folder:

- Python whose first line is a comment with a file name (`# ci.py`) is written to that file, which
  a later block has to use, or added to it (`# ci.py (continued)`); other Python is executed, and
  all of a page share their names.
- `ini` is written to a file in the same way.
- `pycon` is Python as in an interactive session, with what it prints.
- `console`: lines that begin with `$ ` are commands for one shell; what they print must be what
  follows them, where `...` stands for anything.
- `sql` is asked from the database of the state directory `state`.
- `text` is a picture, or something else that nobody could run. Other languages are refused.

What is only needed for the test stands in a comment: `<!-- invisible-code: console ... -->`.
"""

import doctest
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sybil import Document, Example
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

FILE_NAME = re.compile(r"# ([\w./-]+\.\w+)( \(continued\))?\n")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n", re.MULTILINE)
# Colours and the width of a terminal would make output differ from place to place.
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "NO_COLOR": "1",
    "COLUMNS": "80",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}
TOLERANT = doctest.ELLIPSIS | doctest.REPORT_NDIFF


def python(example: Example) -> None:
    """Write a file, or run the code."""
    if FILE_NAME.match(str(example.parsed)):
        write(example)
    else:
        PythonEvaluator()(example)


def write(example: Example) -> None:
    """Write the file that the first line names."""
    text = str(example.parsed)
    name = FILE_NAME.match(text)
    assert name is not None, "the first line has to name the file"
    file = Path(example.namespace["folder"], name[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a" if name[2] else "w") as shown:
        shown.write(text)


def pycon(example: Example) -> str | None:
    """Run the statements; the differences from what the page says."""
    session = doctest.DocTestParser().get_doctest(
        str(example.parsed), example.namespace, example.path, example.path, example.line
    )
    report: list[str] = []
    doctest.DocTestRunner(optionflags=TOLERANT).run(session, out=report.append, clear_globs=False)
    example.namespace.update(session.globs)
    return "".join(report) or None


class Shell:
    """A bash in which the commands of a page are run."""

    _END = "--- end of the output ---"
    # The next command may want to know how this one has ended.
    _AFTER = f"status=$?; echo; echo '{_END}'; (exit $status)"

    def __init__(self, folder: Path) -> None:
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        """The lines that a command prints. What it leaves in the background goes on."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{{ {command}\n}} < /dev/null; {self._AFTER}\n")
        self._bash.stdin.flush()
        *lines, last = iter(self._bash.stdout.readline, f"{self._END}\n")
        # The line of the first echo, but where that has ended the last line of the command.
        return "".join(lines if last == "\n" else [*lines, last])

    def close(self) -> None:
        """End it, and what it has left in the background."""
        self.run("kill $(jobs -p) 2> /dev/null; wait")
        self._bash.communicate("exit\n")


def console(example: Example) -> str | None:
    """Run each command; the difference, if it prints something else than the page says."""
    shell: Shell = example.namespace["shell"]
    checker = doctest.OutputChecker()
    for command, expected in commands(str(example.parsed)):
        seen = shell.run(command)
        if not checker.check_output(expected, seen, TOLERANT):
            wanted = doctest.Example(command, expected)
            return f"$ {command}\n{checker.output_difference(wanted, seen, TOLERANT)}"
    return None


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that follows it."""
    parts = COMMAND.split(text)
    assert not parts[0], f"a console block begins with a command, not with {parts[0]!r}"
    return zip(parts[1::2], parts[2::2], strict=True)


def sql(example: Example) -> None:
    """Run each statement."""
    database = Path(example.namespace["folder"], "state", "db", "pycurrent.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for statement in str(example.parsed).split(";"):
            connection.execute(statement).fetchall()


def picture(example: Example) -> None:
    """Nothing to be run."""


PARSERS = [
    CodeBlockParser("python", python),
    CodeBlockParser("ini", write),
    CodeBlockParser("pycon", pycon),
    CodeBlockParser("console", console),
    CodeBlockParser("sql", sql),
    CodeBlockParser("text", picture),
]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    with closing(shell):
        yield shell


# The longest page runs some hundred commands: a minute on a quiet machine.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: Path, tmp_path: Path, shell: Shell) -> None:
    """Every block of the page runs, and prints what the page says."""
    document = Document.parse(str(page), *PARSERS)
    document.namespace.update(folder=tmp_path, shell=shell, __name__="__main__")
    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_is_left_out(page: Path) -> None:
    """Each block is in a language that is run, and each file that is shown is used."""
    text = page.read_text()
    examples = list(Document.parse(str(page), *PARSERS).examples())
    seen = [example for example in examples if not text.startswith("<!--", example.start)]
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(seen)
    for example in examples:
        name = FILE_NAME.match(str(example.parsed))
        if name is not None and name[1].endswith(".py"):
            later = [str(other.parsed) for other in examples if other.start > example.start]
            place, module = Path(name[1]).parts[0], Path(name[1]).stem
            uses = [place, f"import {module}", f"from {module}"]
            assert any(use in text for text in later for use in uses), f"{name[1]} is not used"


@pytest.mark.parametrize("name", ["recipes.md", "coming-from.md"])
def test_short_blocks(name: str) -> None:
    """Python that is to be copied has less than 25 lines."""
    page = ROOT / "docs" / name
    text = page.read_text()
    shown = [
        str(example.parsed)
        for example in Document.parse(str(page), *PARSERS).examples()
        if not text.startswith("<!--", example.start)
    ]
    assert [block for block in shown if FILE_NAME.match(block) and block.count("\n") >= 25] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """What a page links to in the repository is there."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    files = [target for target in targets if "://" not in target]
    assert [file for file in files if not (page.parent / file).exists()] == []
