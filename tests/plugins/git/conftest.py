"""Servers with repositories that others push to."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pycurrent.term import Current
from pycurrent.testing import Harness

from ..gitserver import GitServer
from ..repositories import Repo
from ..sshd import MissingPart, Sshd, find_sshd


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
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that runs, and lets nobody in yet."""
    try:
        find_sshd()
    except MissingPart as why:
        _missing(str(why))
    server = Sshd(tmp_path / "sshd")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") or os.environ.get("PYCURRENT_REQUIRE_ALL"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Harness]:
    """A harness for a pipeline, with the state directory of the test."""

    def make(pipeline: Callable[[], Current[Any]], **options: Any) -> Harness:
        return Harness(pipeline, state_dir=tmp_path / "state", **options)

    return make
