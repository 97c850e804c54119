"""How far git is: in the log where it takes long, and only there."""

import re
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from pycurrent.engine import Config
from pycurrent.plugins import git
from pycurrent.plugins.git.diagnosis import Diagnosis, Fault, diagnose
from pycurrent.plugins.git.progress import is_progress
from pycurrent.term import Active, Failed, Ok
from pycurrent.testing import Harness

from ..gitserver import GitServer
from ..repositories import Repo
from .conftest import push

Start = Callable[..., Harness]
SIZE = 3_000_000

LINES = [
    "remote: Enumerating objects: 42, done.",
    "remote: Counting objects:   2% (1/42)",
    "remote: Compressing objects: 100% (42/42), done.",
    "remote: Total 42 (delta 0), reused 0 (delta 0), pack-reused 0",
    "Receiving objects:  45% (19/42), 3.43 MiB | 1.20 MiB/s",
    "Receiving objects: 100% (42/42), 7.63 MiB | 25.54 MiB/s, done.",
    "Resolving deltas: 100% (3/3), done.",
    "Unpacking objects: 100% (3/3), 230 bytes | 230.00 KiB/s, done.",
]


@pytest.fixture
def large(upstream: Repo) -> Repo:
    """A repository of which one can be in the middle."""
    for number in range(10):
        data = Random(number).randbytes(SIZE // 10)
        (upstream.path / f"data{number}").write_bytes(data)
    upstream.commit("large")
    push(upstream)
    return upstream


@pytest.mark.parametrize("line", LINES)
def test_progress_is_known(line: str) -> None:
    """In all that git says of it; what else it says is not."""
    assert is_progress(line)
    for other in ("remote: Repository not found.", "fatal: early EOF", "warning: redirecting to x"):
        assert not is_progress(other)


def test_progress_is_no_cause() -> None:
    """Git was killed in the middle of it."""
    said = "remote: Counting objects: 50% (1/2)\rReceiving objects:  45% (19/42)\r"
    assert diagnose(said) is None
    assert diagnose(f"fatal: it is so\n{said}") == Diagnosis(Fault.OTHER, "it is so")


async def test_a_fetch_that_is_done_soon_says_nothing_of_it(
    large: Repo, served: GitServer, start: Start
) -> None:
    """Nor of the refs, of which there may be many."""
    async with start(lambda: git.clone(served.url("team/shop.git"))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Ok)
        lines = harness.log("clone").splitlines()
    others = [line for line in lines if not line.startswith("2026-01-01 00:00.00: ")]
    assert others == []


async def test_a_durable_fetch_says_nothing_of_it(
    large: Repo, served: GitServer, start: Start
) -> None:
    """It writes to nobody but its log, so that it goes on when the engine is killed."""
    config = Config(lease=timedelta(minutes=1))
    async with start(lambda: git.clone(served.url("team/shop.git")), config=config) as harness:
        await harness.settle()
        assert isinstance(harness.output, Ok)
        log = harness.log("clone")
    assert "--quiet" in log
    assert "2>" not in log
    lines = [line for line in log.splitlines() if not line.startswith("2026-01-01 00:00.00: ")]
    assert lines == []


async def test_a_fetch_that_takes_long_says_how_far_it_is(
    large: Repo, served: GitServer, start: Start
) -> None:
    """While it does, and how it ends."""
    served.stall_near_end(SIZE // 2)
    async with start(lambda: git.clone(served.url("team/shop.git"))) as harness:
        await harness.until(lambda: "Receiving objects:" in harness.log("clone"), timeout=30)
        assert isinstance(harness.output, Active)
        assert "remote: Counting objects: 100%" in harness.log("clone")
        assert "done.\n2" not in harness.log("clone")
        served.go_on()
        await harness.until(lambda: isinstance(harness.output, Ok), timeout=30)
        assert re.search(r"Receiving objects: 100% .*, done\.\n", harness.log("clone"))
        assert "new branch" not in harness.log("clone")


async def test_what_git_has_said_is_in_the_log_when_it_fails(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """As it was said, and as the cause."""
    url = served.url("team/nosuch.git")
    async with start(lambda: git.clone(url)) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert "there is no such repository" in harness.output.message
        assert f"fatal: repository '{url}/' not found\n" in harness.log("clone")
