"""The places that all cases are tried at: this machine, a host by ssh, a Slurm cluster, and a node
of a Ray cluster, which are all this machine.

Starting in an allocation of Slurm takes a second, and each command at a node of Ray longer than by
ssh, so only the cases marked `every_place` are tried there, unless PYCURRENT_PLACES is `all`
(`make test-places`).

Where there can be no server of a kind the tests are skipped, with the reason; but with CI or
PYCURRENT_REQUIRE_ALL in the environment they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import AnyPool
from pycurrent.plugins import slurm, ssh

from ..debian import MissingPart, missing
from ..plugins.slurmd import Slurm
from ..plugins.sshd import Sshd, find_sshd, new_key
from .at import At
from .ray_head import RayHead


def place_of(item: pytest.Item) -> object:
    """The place that a case is tried at; None if it is at none."""
    spec = getattr(item, "callspec", None)
    return None if spec is None else spec.params.get("pool")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that servers let in."""
    try:
        find_sshd()
    except MissingPart as why:
        missing(str(why))
    return new_key(tmp_path_factory.mktemp("key") / "id")


@pytest.fixture(scope="session")
def ray_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the user at the cluster."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def head(ray_home: Path) -> Iterator[RayHead]:
    """A Ray cluster."""
    head = RayHead(ray_home, serves_clients=True)
    try:
        head.start()
        yield head
    finally:
        head.stop()


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The home of the user at the host, a new one; that of a cluster is shared by all cases."""
    if place_of(request.node) == "ray":
        shared: Path = request.getfixturevalue("ray_home")
        return shared
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


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """The Slurm of this session."""
    try:
        cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    except MissingPart as why:
        missing(str(why))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def partition(
    cluster: Slurm, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[slurm.Partition]:
    """A partition whose jobs have a home of this test. None of its jobs is left."""
    monkeypatch.setenv("SLURM_CONF", str(cluster.config))
    cluster.set_environment({"HOME": str(home)})
    yield slurm.Partition("ci", memory="100M")
    cluster.clean()


FEW_AT = {"slurm", "ray"}
"""The places at which a part of the cases is tried."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is tried only with PYCURRENT_PLACES=all."""
    if os.environ.get("PYCURRENT_PLACES") == "all":
        return
    left_out = [item for item in items if _is_for_all(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_for_all(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    if item.get_closest_marker("full_size") is not None or "other_head" in item.fixturenames:
        return True
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    is_costly = any(isinstance(value, str) and value in FEW_AT for value in given)
    return is_costly and item.get_closest_marker("every_place") is None


@pytest.fixture(params=["local", "ssh", "slurm", "ray"])
def pool(request: pytest.FixtureRequest) -> AnyPool | None:
    """The pool of a place: None for this machine."""
    match request.param:
        case "local":
            return None
        case "ssh":
            hosts = request.getfixturevalue("hosts")
            made: ssh.Hosts = hosts(request.getfixturevalue("server"), capacity=4)
            return made
        case "ray":
            head: RayHead = request.getfixturevalue("head")
            return head.cluster()
        case _:
            partition: slurm.Partition = request.getfixturevalue("partition")
            return partition


@pytest.fixture
def at(pool: AnyPool | None, tmp_path: Path) -> At:
    """The place that a case is tried at."""
    return At(pool, tmp_path)
