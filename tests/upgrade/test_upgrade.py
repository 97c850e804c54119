"""The engine of today goes on with the state directories of earlier versions.

Each `*.tar.gz` beside this file is a state directory that `shop.py` left when the code of that
version ran it, with a job that was running when the engine was killed.

| archive | made by |
|---|---|
| schema-2 | 0.1.0 as of 22 November 2026, before failures had kinds |
| schema-3 | 0.1.0 as of 26 November 2026, before jobs had causes |

A release adds its own: run `shop.py` with the code of the tag, and pack the folder.
"""

import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from pycurrent import Failed, Ok
from pycurrent.store import AccessDatabase
from pycurrent.testing import Harness

from .shop import RULE, SECRET, START, Report, crashing, pipeline

ARCHIVES = sorted(Path(__file__).parent.glob("*.tar.gz"))
LATER = START + timedelta(hours=4)


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The state directory of an earlier version."""
    folder = tmp_path / "state"
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[Harness]:
    """Today's engine, at rest, with the pipeline that filled the directory."""
    async with Harness(pipeline, state_dir=folder, start=LATER) as h:
        await h.settle()
        yield h


def test_there_are_archives() -> None:
    """The tests below are not skipped because a folder was moved."""
    assert {path.name for path in ARCHIVES} >= {"schema-2.tar.gz", "schema-3.tar.gz"}


async def test_nothing_known_is_made_again(engine: Harness) -> None:
    """Results, failures too, hold as before, and each job is still the last one of its key."""
    assert isinstance(engine.output, Failed)
    assert engine.find("check main").outcome == Ok(
        Report("main", 7, date(2026, 11, 22), ("fast", "slow"))
    )
    assert engine.find("check broken").outcome == Failed("3 of 7 failed")
    assert isinstance(engine.find("wait for a person").outcome, Failed)
    assert engine.find("deploy v2 to production").outcome == Ok(None)
    assert {build.job_id[:10] for build in engine.history()} == {"2026-11-22"}
    assert all(build.ready < LATER for build in engine.history())


async def test_the_history_is_shown(engine: Harness) -> None:
    """Each build with its number, its result and its times; rebuilds included."""
    builds = Counter((build.op, build.key, build.build, build.ok) for build in engine.history())

    assert builds == {
        ("check", "main", 0, True): 1,
        ("check", "main", 1, True): 1,
        ("check", "broken", 0, False): 1,
        ("check", "broken", 1, False): 1,
        ("deploy", "production", 0, True): 1,
        ("deploy", "production", 1, True): 1,
        ("wait", "a person", 0, False): 1,
        ("crash", "at night", 0, None): 1,
    }
    first = engine.history("check")[0]
    assert (first.ready, first.running, first.finished) == (START, START, START)
    assert first.rebuild


async def test_a_publisher_goes_back(folder: Path) -> None:
    """The last value that was set is known: an older one is another, and is set."""
    async with Harness(lambda: pipeline("v1"), state_dir=folder, start=LATER) as h:
        await h.settle()
        assert [build.value for build in h.history("deploy")] == ['"v1"', '"v2"', '"v1"']


async def test_interrupted_work_is_done(folder: Path) -> None:
    """The job of the killed engine is in the history, and its work runs with the same number."""
    async with Harness(lambda: crashing(is_fatal=False), state_dir=folder, start=LATER) as h:
        await h.settle()
        assert h.output == Ok("survived at night")
        builds = [(build.build, build.ok) for build in h.history("crash")]
        assert builds == [(0, None), (0, True)]


async def test_a_rebuild_counts_on(engine: Harness) -> None:
    """The next build of a key has the next number."""
    engine.find("check main").rebuild()
    await engine.settle()
    assert [build.build for build in engine.history("check") if build.key == "main"] == [0, 1, 2]


async def test_log_rules_are_kept(engine: Harness) -> None:
    """With their reports and scores."""
    assert list(engine.engine.log_rules.list()) == [RULE]


async def test_logs_are_read(engine: Harness) -> None:
    """By the id of a job, from its first line to its last."""
    log = engine.log("check main")
    assert "checked main" in log
    assert "Job succeeded" in log


async def test_logins_hold(engine: Harness, folder: Path) -> None:
    """Sessions of browsers and tokens of programs are those of before."""
    with AccessDatabase.open_or_make(folder) as access:
        session = access.session(SECRET, LATER)
        token = access.token(SECRET, LATER)
    assert session is not None
    assert (session.user_id, session.user_name) == ("local:ada", "ada")
    assert token is not None
    assert (token.name, token.role) == ("deployer", "admin")


async def test_the_command_line_reads_it(folder: Path) -> None:
    """Once an engine has brought the directory up to date."""
    async with Harness(pipeline, state_dir=folder, start=LATER):
        pass
    assert "3 of 7 failed" in _said("history", folder)
    assert "about to crash" in _said("log", folder, "crash")


@pytest.mark.parametrize("folder", ARCHIVES[:1], indirect=True)
def test_before_that_it_says_what_to_do(folder: Path) -> None:
    """Reading alone does not change the schema."""
    assert "run a pipeline with this state directory" in _said("history", folder, status=2)


def _said(command: str, folder: Path, *arguments: str, status: int = 0) -> str:
    if command == "log":
        jobs = (folder / "job").rglob(f"*-{arguments[0]}-*.log")
        arguments = (str(next(jobs).relative_to(folder / "job").with_suffix("")),)
    done = subprocess.run(
        [sys.executable, "-m", "pycurrent", command, *arguments, "--state-dir", str(folder)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == status, done.stdout
    return done.stdout
