"""The command line in this process, and in one of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from pycurrent.cli.app import make_app
from pycurrent.cli.end import status_of
from pycurrent.cli.library import call

from .commands import Child, Command, Ended, Start, Write


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of a test; what pipeline files import is forgotten after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYCURRENT_STATE_DIR", raising=False)
    monkeypatch.setenv("PYCURRENT_PORT", "0")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def pipeline_file(folder: Path) -> Write:
    """Write a pipeline file."""

    def write(text: str, name: str = "ci.py") -> Path:
        file = folder / name
        file.write_text(dedent(text))
        return file

    return write


@pytest.fixture
def pycurrent(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command `pycurrent`, run in this process to its end."""

    def run(*arguments: str | Path) -> Ended:
        capsys.readouterr()
        tokens = [str(argument) for argument in arguments]
        try:
            status = status_of("pycurrent", lambda: call(make_app(), tokens))
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capsys.readouterr()
        return Ended(status, captured.out, captured.err)

    return run


@pytest.fixture
def child() -> Iterator[Start]:
    """Start `python ...`."""
    children: list[Child] = []

    def start(*arguments: str) -> Child:
        children.append(Child(list(arguments)))
        return children[-1]

    yield start
    for one in children:
        one.process.kill()
        one.process.communicate()
