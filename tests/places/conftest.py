"""The places that all cases are tried at: this machine, and a host by ssh, which is this one too.

Where there can be no ssh server the tests are skipped, with the reason; but with CI or
PYCURRENT_REQUIRE_ALL in the environment they fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import AnyPool
from pycurrent.plugins import ssh

from ..debian import MissingPart, missing
from ..plugins.sshd import Sshd, find_sshd, new_key
from .at import At


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that servers let in."""
    try:
        find_sshd()
    except MissingPart as why:
        missing(str(why))
    return new_key(tmp_path_factory.mktemp("key") / "id")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the user at the host, a new one."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def server(key: Path, tmp_path: Path, home: Path) -> Iterator[Sshd]:
    """A host of this test."""
    server = Sshd(tmp_path / "sshd", environment={"HOME": str(home)})
    server.authorize(key)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def hosts(key: Path, tmp_path: Path) -> Callable[..., ssh.Hosts]:
    """Makes pools of servers, whose host keys are known."""

    def make(*servers: Sshd, **options: Any) -> ssh.Hosts:
        known = tmp_path / "known"
        known.write_text("".join(server.known_hosts_line for server in servers))
        made = [
            ssh.Host(server.host, server.user, server.port, key, known, connect_timeout=5)
            for server in servers
        ]
        return ssh.Hosts(made, **options)

    return make


@pytest.fixture(params=["local", "ssh"])
def pool(request: pytest.FixtureRequest) -> AnyPool | None:
    """The pool of a place: None for this machine."""
    if request.param == "local":
        return None
    hosts = request.getfixturevalue("hosts")
    made: ssh.Hosts = hosts(request.getfixturevalue("server"), capacity=4)
    return made


@pytest.fixture
def at(pool: AnyPool | None, tmp_path: Path) -> At:
    """The place that a case is tried at."""
    return At(pool, tmp_path)
