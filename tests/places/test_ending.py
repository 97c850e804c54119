"""The end of all that a job has at a place: see `ending.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pycurrent.places import ending, transport

from ..engine.marks import marked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="places need Linux")

WORDS = ("sh", "-c", transport.start_words(sys.executable))
"""Connects with an agent on this machine."""


class Home:
    """The home of the user at a place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "HOME": str(folder), "MARK": str(folder)}

    def relay(self, argv: list[str], at: Path) -> subprocess.Popen[bytes]:
        """The relay of a command of job `a`, which runs in a folder."""
        request = {
            "do": "run",
            "patience": 5.0,
            "silence": 30.0,
            "job": "a",
            "name": "1-a",
            "begin": True,
            "argv": argv,
            "env": {},
            "cwd": None,
            "grace": 0.5,
            "lease": 60.0,
            "most": 0,
            "output": False,
        }
        relay = transport.relay_by(WORDS)
        at.mkdir()
        # A supervisor would call it in a fork of itself.
        words = [sys.executable, "-I", "-S", relay.argv[1]]
        relaying = subprocess.Popen(words, stdin=subprocess.PIPE, cwd=at, env=self.environment)
        assert relaying.stdin is not None
        with relaying.stdin as stdin:
            stdin.write(relay.request(request))
        return relaying

    def ending(self) -> subprocess.Popen[bytes]:
        """Has all end that job `a` has."""
        argv = [sys.executable, ending.__file__, "", "a"]
        return subprocess.Popen(argv, env=self.environment)

    def end(self) -> int:
        """Have all end that it has; gives the status."""
        return self.ending().wait()

    @property
    def has(self) -> list[str]:
        """The files and folders of the job."""
        return sorted(path.name for path in (self.folder / ".cache/pycurrent/run/a").iterdir())

    @property
    def left(self) -> list[str]:
        """The words of the processes that are there."""
        words = []
        for pid in marked(str(self.folder)):
            with suppress(OSError):
                words.append(Path(f"/proc/{pid}/cmdline").read_text())
        return words


@pytest.fixture
def there(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


def test_nothing_begins_for_a_job_that_was_ended(there: Home, tmp_path: Path) -> None:
    """A request may still be on its way."""
    assert there.end() == 0
    there.relay(["touch", str(tmp_path / "ran")], tmp_path / "relay").wait()
    assert json.loads((tmp_path / "relay" / "end").read_bytes()) == {"unknown": True}
    assert not (tmp_path / "ran").exists()
    assert there.has == [ending.ENDED]


def test_what_is_about_to_begin_does_not(there: Home, tmp_path: Path) -> None:
    """Its folder is there, and nobody has begun it."""
    new = there.folder / ".cache/pycurrent/run/a/1-a.new"
    new.mkdir(parents=True)
    assert there.end() == 0
    assert there.has == [ending.ENDED]


def test_what_runs_is_ended_with_all_that_it_has_started(there: Home, tmp_path: Path) -> None:
    """What does not end by itself is killed. Its folders go."""
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    script = f"trap '' TERM; setsid sleep 1000 & echo > {begun}; sleep 1000"
    with there.relay(["sh", "-c", script], tmp_path / "relay") as relaying:
        begun.read_bytes()
        relaying.kill()
    # As two engines may.
    both = [there.ending(), there.ending()]
    assert [one.wait() for one in both] == [0, 0]
    assert [words for words in there.left if "sleep" in words] == []
    assert there.has == [ending.ENDED]
