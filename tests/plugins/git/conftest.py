"""Servers with repositories that others push to."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycurrent.term import Current
from pycurrent.testing import Harness

from ...debian import MissingPart, missing
from ..gitserver import GitServer
from ..repositories import Repo
from ..sshd import Sshd, find_sshd, free_port


@pytest.fixture
def served(tmp_path: Path) -> Iterator[GitServer]:
    """A server with an empty folder of repositories, which anybody may read."""
    root = tmp_path / "served"
    root.mkdir()
    server = GitServer(root)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def upstream(repo: Repo, served: GitServer) -> Repo:
    """A work tree whose repository is served as team/shop.git, with one commit on main."""
    serve(repo, served, "team/shop.git")
    push(repo)
    return repo


def serve(repo: Repo, server: GitServer, path: str) -> Repo:
    """Have the server have a place for a repository; `push` brings it there."""
    place = server.root / path
    Repo.init(place, "--bare")
    repo.git("remote", "add", "served", place)
    return repo


def push(repo: Repo, *refs: str) -> None:
    """As somebody does who may rewrite history."""
    repo.git("push", "--quiet", "--force", "served", *(refs or ("HEAD:refs/heads/main",)))


@pytest.fixture
def by_daemon(upstream: Repo, served: GitServer, tmp_path: Path) -> Iterator[str]:
    """The address of the repository by `git daemon`."""
    log, port = tmp_path / "daemon.log", free_port()
    options = ("--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--verbose", "--export-all")
    # Not by way of `git`, which would not pass on the end.
    program = Path(upstream.git("--exec-path"), "git-daemon")
    with log.open("wb") as file:
        daemon = subprocess.Popen(
            [program, *options, f"--base-path={served.root}"], stdout=file, stderr=file
        )
    try:
        deadline = time.monotonic() + 10
        while b"Ready" not in log.read_bytes():
            assert daemon.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the daemon does not come up"
            time.sleep(0.02)
        yield f"git://127.0.0.1:{port}/team/shop.git"
    finally:
        daemon.terminate()
        daemon.wait()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that runs, and lets nobody in yet."""
    try:
        find_sshd()
    except MissingPart as why:
        missing(str(why))
    server = Sshd(tmp_path / "sshd")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Harness]:
    """A harness for a pipeline, with the state directory of the test."""

    def make(pipeline: Callable[[], Current[Any]], **options: Any) -> Harness:
        return Harness(pipeline, state_dir=tmp_path / "state", **options)

    return make
