"""A real engine and registries for the tests of this folder, ended with the session.

Each session, and each worker of one, has its own. Where there can be none the tests are skipped,
with the reason; but with CI or PYCURRENT_REQUIRE_ALL in the environment they fail.
"""

import fcntl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pycurrent.plugins import docker
from pycurrent.term import Current
from pycurrent.testing import Harness

from ...debian import MissingPart, missing
from .engine import DockerEngine
from .parts import find_newer_engine, find_parts
from .registry import Registry

BASE = "lab/base:1"
MONITOR = ("--update-monitor=1s", "--rollback-monitor=1s", "--stop-grace-period=1s")


@pytest.fixture(scope="session")
def plugins() -> Path:
    """The folder with the plugins of the command line."""
    try:
        return find_parts()
    except MissingPart as why:
        missing(str(why))


@contextmanager
def folder_on_disk(prefix: str) -> Iterator[Path]:
    """Not where pytest has its own: an engine wants a disk, and a socket a short path."""
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir="/var/tmp", ignore_cleanup_errors=True
    ) as f:
        yield Path(f)


@pytest.fixture(scope="session", params=["graph driver", "containerd"])
def newer(request: pytest.FixtureRequest, plugins: Path) -> Path | None:
    """Engines differ in how they store images: all has to work with both."""
    if request.param == "graph driver":
        return None
    try:
        return find_newer_engine()
    except MissingPart as why:
        missing(str(why))


@pytest.fixture(scope="session")
def new_engine(
    plugins: Path, newer: Path | None
) -> Callable[[], AbstractContextManager[DockerEngine]]:
    """Engines for tests that break them."""

    @contextmanager
    def make() -> Iterator[DockerEngine]:
        with folder_on_disk("pcd-") as folder:
            engine = DockerEngine(folder, plugins, newer)
            try:
                engine.start()
                engine.add_base(BASE)
                yield engine
            finally:
                engine.stop()

    return make


@pytest.fixture(scope="session")
def engine(
    new_engine: Callable[[], AbstractContextManager[DockerEngine]],
) -> Iterator[DockerEngine]:
    """An engine with one image, lab/base:1."""
    with new_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def registry(plugins: Path) -> Iterator[Registry]:
    """A registry that everybody may use."""
    with folder_on_disk("pcr-") as folder:
        yield from _running(Registry(folder))


@pytest.fixture(scope="session")
def closed_registry(plugins: Path) -> Iterator[Registry]:
    """A registry that asks for a password."""
    with folder_on_disk("pcr-") as folder:
        yield from _running(Registry(folder, asks_for_password=True))


@pytest.fixture
def read_only_registry(plugins: Path) -> Iterator[Registry]:
    """A registry that takes nothing."""
    with folder_on_disk("pcr-") as folder:
        yield from _running(Registry(folder, read_only=True))


def _running(registry: Registry) -> Iterator[Registry]:
    try:
        registry.start()
        yield registry
    finally:
        registry.stop()


@pytest.fixture
def context(engine: DockerEngine) -> docker.Context:
    """The engine as pipelines use it."""
    return docker.Context(engine.host, engine.config)


@pytest.fixture
def base(engine: DockerEngine) -> docker.Image:
    """An image with a shell."""
    return docker.Image(engine.docker("image", "inspect", "--format", "{{.Id}}", BASE))


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Harness]:
    """A harness for a pipeline, with the state directory of the test."""

    def make(pipeline: Callable[[], Current[Any]], **options: Any) -> Harness:
        return Harness(pipeline, state_dir=tmp_path / "state", **options)

    return make


@pytest.fixture
def swarm(engine: DockerEngine) -> Iterator[DockerEngine]:
    """An engine that is a swarm of its own: one at a time on a machine, for the ports.

    It is one for a single test, as tests in another process may wait for it.
    """
    with Path(tempfile.gettempdir(), "pycurrent-tests-swarm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        had_bridge = Path("/sys/class/net/docker_gwbridge").exists()
        here = "127.0.0.1"
        engine.docker("swarm", "init", f"--advertise-addr={here}", f"--listen-addr={here}:0")
        try:
            yield engine
        finally:
            engine.docker("swarm", "leave", "--force")
            if not had_bridge:
                engine.docker("network", "rm", "docker_gwbridge")


@pytest.fixture
def service(swarm: DockerEngine) -> Iterator[str]:
    """A service that runs, and goes back when an update fails."""
    images(swarm)
    swarm.docker(
        *("service", "create", "--name=web", "--no-resolve-image", "--restart-condition=none"),
        *(*MONITOR, "--update-failure-action=rollback", "app:1"),
    )
    yield "web"
    swarm.docker("service", "rm", "web")


def images(engine: DockerEngine) -> None:
    """Two that go on, and one that does not."""
    for tag, command in (("1", "exec sleep 6001"), ("2", "exec sleep 6002"), ("bad", "exit 3")):
        text = f"FROM {BASE}\nCMD {command}\n"
        engine.docker("build", "--quiet", f"--tag=app:{tag}", "-", stdin=text.encode())
