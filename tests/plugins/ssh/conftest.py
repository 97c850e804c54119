"""A real OpenSSH server for the tests of this folder, and what pipelines need to get there.

Where there can be none the tests are skipped, with the reason; but with CI or PYCURRENT_REQUIRE_ALL
in the environment they fail.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycurrent.plugins.ssh import Host
from pycurrent.term import Current
from pycurrent.testing import Harness

from ...debian import MissingPart, missing
from ..sshd import Sshd, find_sshd, new_key


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that servers let in."""
    try:
        find_sshd()
    except MissingPart as why:
        missing(str(why))
    return new_key(tmp_path_factory.mktemp("key") / "id")


@pytest.fixture(scope="session")
def server(key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server, the same for all tests that don't break it."""
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.authorize(key)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_server(key: Path, tmp_path: Path) -> Iterator[Sshd]:
    """A server to be broken."""
    server = Sshd(tmp_path / "sshd")
    server.authorize(key)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def to(key: Path, tmp_path: Path) -> Callable[..., Host]:
    """The way to a server, whose host key is known."""

    def make(server: Sshd, **options: Any) -> Host:
        known = tmp_path / f"known-{server.port}"
        known.write_text(server.known_hosts_line)
        way = {"user": server.user, "port": server.port, "identity": key, "known_hosts": known}
        return Host(server.host, **{**way, **options})

    return make


@pytest.fixture
def host(server: Sshd, to: Callable[..., Host]) -> Host:
    """The way to the server."""
    return to(server)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Harness]:
    """A harness for a pipeline, with the state directory of the test."""

    def make(pipeline: Callable[[], Current[Any]], **options: Any) -> Harness:
        return Harness(pipeline, state_dir=tmp_path / "state", **options)

    return make
