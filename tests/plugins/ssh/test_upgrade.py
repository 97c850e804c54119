"""A command on a host goes on when its engine is upgraded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pycurrent.plugins import ssh

from . import killable
from .processes import seconds, sleeping

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]

PIPELINE = """\
import sys
from pathlib import Path

sys.path.insert(0, {tools!r})
import killable


def pipeline():
    return killable.pipeline(Path({folder!r}))
"""


@pytest.fixture
def engine(host: ssh.Host, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An engine at work, whose command waits on a host."""
    number = seconds()
    killable.told(tmp_path, host)
    (tmp_path / "plan").write_text(f"runs {number}")
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    tools = str(Path(killable.__file__).parent)
    (tmp_path / "ci.py").write_text(PIPELINE.format(tools=tools, folder=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, "-m", "pycurrent", "run", "ci.py", "--no-web", "--confirm", "none"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    (tmp_path / "begun").read_bytes()
    yield process
    process.kill()
    process.communicate()
    for pid in sleeping(number):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def await_line(engine: subprocess.Popen[str], part: str) -> None:
    assert engine.stdout is not None
    while part not in (line := engine.stdout.readline()):
        assert line, f"it has ended without {part!r}"


def test_a_command_goes_on_when_the_engine_is_upgraded(
    engine: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Twice: it runs once, and the log has all that it has printed, once."""
    for _ in range(2):
        words = [sys.executable, "-m", "pycurrent", "upgrade"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"process {engine.pid} (")
    (tmp_path / "go").write_bytes(b"")
    await_line(engine, "ok       ")
    assert (tmp_path / "ran").read_text() == "ran\nrun\n"
    (log,) = tmp_path.glob(".pycurrent/job/*/*.log")
    lines = log.read_text().splitlines()
    assert [lines.count(word) for word in ("first", "wrong", "second", "third")] == [1, 1, 1, 1]
