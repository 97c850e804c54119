"""Services of a swarm, and projects of Compose."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pycurrent import Failed, Ok, UsageError, Var
from pycurrent.plugins import docker
from pycurrent.testing import Harness

from ...debian import missing
from .conftest import BASE
from .engine import DockerEngine
from .killing import go_on, kill_at_work
from .parts import has_compose_v1
from .waiting import over

Start = Callable[..., Harness]


async def test_a_service_follows_the_image(
    context: docker.Context, swarm: DockerEngine, service: str, start: Start
) -> None:
    """An update that the swarm has taken back is a failure, which says why."""
    image = Var("image", "app:2")
    async with start(lambda: context.service(service, image.get())) as h:
        await over(h)
        assert h.output == Ok(None), h.log("service")
        assert image_of(swarm, service) == "app:2"
        image.set("app:bad")
        await h.until(lambda: isinstance(h.output, Failed), timeout=40)
        assert h.output == Failed(
            "the update of service web to app:bad is rollback_completed: task: non-zero exit (3)"
        )
        assert image_of(swarm, service) == "app:2"
        image.set("app:1")
        await h.until(lambda: isinstance(h.output, Ok), timeout=40)
        assert image_of(swarm, service) == "app:1"


async def test_a_service_that_is_not_there_is_named(
    context: docker.Context, swarm: DockerEngine, start: Start
) -> None:
    """It is for a person to create it."""
    async with start(lambda: context.service("nosuch", "app:1")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert "nosuch" in h.output.message
        assert "not found" in h.output.message.lower() or "no such" in h.output.message.lower()


def image_of(engine: DockerEngine, service: str) -> str:
    form = "{{.Spec.TaskTemplate.ContainerSpec.Image}}"
    return engine.docker("service", "inspect", "--format", form, service)


def compose_file(command: str, restart: str = "no") -> str:
    """Without a network, which our engine has no addresses for."""
    return (
        "version: '3'\nservices:\n  app:\n"
        f"    image: {BASE}\n    command: {command}\n    restart: '{restart}'\n"
        "    network_mode: none\n    stop_grace_period: 0s\n"
    )


@pytest.fixture(params=["v2", "v1"])
def composing(
    request: pytest.FixtureRequest, engine: DockerEngine, tmp_path: Path
) -> docker.Context:
    """The engine, by a client that has Compose as a plugin, or only the old program."""
    if request.param == "v2":
        return docker.Context(engine.host, engine.config)
    if not has_compose_v1():
        missing("there is no docker-compose of version 1 for this system")
    (tmp_path / "settings").mkdir()
    return docker.Context(engine.host, tmp_path / "settings")


async def test_a_project_follows_the_file(
    composing: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """Containers are made anew when what the file says of them changes.

    The old program can't do that with a newer engine: then it says what to install.
    """
    contents = Var("file", compose_file("sleep 7001"))
    is_too_old = composing.config != engine.config and engine.is_newer
    try:
        async with start(lambda: composing.compose("shop", contents.get())) as h:
            await over(h)
            assert h.output == Ok(None)
            assert engine.processes("7001")
            contents.set(compose_file("sleep 7002"))
            await h.until(lambda: len(h.history()) == 2, timeout=40)
            await h.settle()
            if is_too_old:
                assert isinstance(h.output, Failed)
                assert "install the compose plugin of docker" in h.output.message
                return
            assert engine.processes("7002")
            assert not engine.processes("7001")
    finally:
        remove_all(engine)


async def test_a_broken_compose_file_is_named(context: docker.Context, start: Start) -> None:
    """With what is wrong about it."""
    async with start(lambda: context.compose("shop", "services: 3\n")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert "docker compose: " in h.output.message
        assert "services must be a mapping" in h.output.message


async def test_compose_may_wait_for_health(
    context: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """What ends at once has not come up."""
    contents = compose_file("sh -c 'exit 4'")
    try:
        async with start(lambda: context.compose("shop", contents, wait=True)) as h:
            await over(h)
            assert isinstance(h.output, Failed)
            assert "exited (4)" in h.output.message
    finally:
        remove_all(engine)


async def test_what_brings_a_project_up_outlives_our_engine(
    engine: DockerEngine, tmp_path: Path
) -> None:
    """The next one goes on with it: nothing is brought up twice."""
    ready = tmp_path / "ready"
    contents = compose_file("sleep 7003") + (
        f"    volumes: ['{tmp_path}:/told']\n"
        "    healthcheck: {test: 'test -e /told/ready', interval: 1s, retries: 600}\n"
    )
    work = f"compose('shop', {contents!r}, wait=True)"
    try:
        await kill_at_work(tmp_path, engine, work, "7003", lease="10m")
        before = engine.containers(), engine.processes("7003")
        ready.touch()
        log = await go_on(tmp_path)
        assert log.count(" compose -p shop ") == 1
        assert (engine.containers(), engine.processes("7003")) == before
    finally:
        remove_all(engine)


async def test_a_cancelled_project_is_named_with_what_stays(
    context: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """Nothing more is done, and the log says how to end what has been."""
    never = "    healthcheck: {test: ['CMD', 'false'], start_period: 1000s}\n"
    contents = compose_file("sleep 7003") + never
    try:
        async with start(lambda: context.compose("shop", contents, wait=True)) as h:
            await h.until(lambda: engine.processes("7003"), timeout=20)
            h.find("compose").cancel("enough")
            await over(h)
            assert h.output == Failed("Cancelled: enough")
            assert "To end them: docker compose -p shop down" in h.log("compose")
    finally:
        remove_all(engine)


async def test_names_of_projects_and_services_are_checked(context: docker.Context) -> None:
    """Before anything is run."""
    for name in ("", "-x", "Shop", "a b"):
        with pytest.raises(UsageError):
            context.compose(name, "")
    with pytest.raises(UsageError):
        context.service("--force", "app:1")


VARIABLES = f"""\
services:
  app:
    image: {BASE}
    command: echo word=${{WORD:-default}}
    network_mode: none
"""


async def test_only_the_contents_say_what_a_project_is(
    composing: docker.Context,
    engine: DockerEngine,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a file where the engine was started, nor its environment."""
    (tmp_path / ".env").write_text("WORD=file\nCOMPOSE_FILE=other.yml\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORD", "environment")
    monkeypatch.setenv("COMPOSE_PROFILES", "nosuch")
    try:
        async with start(lambda: composing.compose("alone", VARIABLES)) as h:
            await over(h)
            assert h.output == Ok(None), h.log("compose")
            assert "error" not in h.log("compose").lower()
        (made,) = engine.containers()
        assert "word=default" in engine.docker("container", "inspect", made)
    finally:
        remove_all(engine)


async def test_orphans_are_removed_on_request_only(
    composing: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """A container of the project that another file has made is somebody's."""
    two = compose_file("sleep 7004") + compose_file("sleep 7005").partition("services:\n")[
        2
    ].replace("app:", "other:")
    one = compose_file("sleep 7004")
    try:
        for contents, remove_orphans, left in ((two, False, 2), (one, False, 2), (one, True, 1)):
            async with start(
                lambda c=contents, r=remove_orphans: composing.compose("shop", c, remove_orphans=r)
            ) as h:
                await over(h)
                if remove_orphans:
                    h.find("compose").rebuild()
                    await h.until(lambda: len(h.history()) == 3, timeout=40)
                    await h.settle()
                assert h.output == Ok(None), h.log("compose")
            assert len(engine.containers()) == left
    finally:
        remove_all(engine)


def remove_all(engine: DockerEngine) -> None:
    if containers := engine.containers():
        engine.docker("rm", "--force", *containers)


async def test_a_password_is_for_a_registry_that_was_named(context: docker.Context) -> None:
    """An operation that is about no single image can't know which one is meant."""
    auth = docker.Auth("robot", "psst-psst-0815")
    for make in (
        lambda: context.compose("shop", "", auth=auth),
        lambda: context.build(None, dockerfile="FROM x", auth=auth),
    ):
        with pytest.raises(UsageError, match="say which registry the password is for") as raised:
            make()
        assert "psst" not in str(raised.value)
