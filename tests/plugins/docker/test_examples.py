"""The examples, each run with a real engine, registry and swarm."""

import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pycurrent import Active, Activity, Config, Failed, Level, Ok
from pycurrent.testing import Harness

from ..github.fake import FakeGithub
from ..repositories import Repo
from ..slack.slack import TOKEN, Slack
from .conftest import MONITOR, images
from .engine import DockerEngine
from .registry import Registry
from .waiting import over

Start = Callable[..., Harness]
EXAMPLES = Path(__file__).parents[3] / "examples"

# What the operations do is tried with both kinds of engines, beside this file.
pytestmark = pytest.mark.parametrize("newer", ["containerd"], indirect=True, scope="session")


@pytest.fixture(autouse=True)
def _settings_of_the_tests(monkeypatch: pytest.MonkeyPatch, engine: DockerEngine) -> None:
    """Not those of the person who runs them."""
    monkeypatch.setenv("DOCKER_CONFIG", str(engine.config))
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")


@pytest_asyncio.fixture
async def chat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slack]:
    """A workspace with the channel #builds, which the settings lead to."""
    server = Slack()
    await server.start()
    monkeypatch.setenv("SLACK_API", server.api)
    monkeypatch.setenv("SLACK_TOKEN", TOKEN)
    yield server
    await server.stop()


def pipeline(name: str, function: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., Any] = getattr(module, function)
    return found


async def test_build_local(engine: DockerEngine, repo: Repo, start: Start) -> None:
    """The head is built and run, and the next one after a commit."""
    repo.commit("build", Dockerfile="FROM lab/base:1\nCOPY a.txt /\nCMD grep two /a.txt\n")
    build_local = pipeline("docker_build_local", "build_local")
    async with start(partial(build_local, repo=repo.path, docker_host=engine.host)) as h:
        await over(h)
        assert h.output == Failed("the command in the container exited with status 1")
        repo.commit("mend", a_txt="two")
        await h.until(lambda: isinstance(h.output, Ok), timeout=20)


async def test_matrix(engine: DockerEngine, registry: Registry, start: Start) -> None:
    """A base that changes is built on again; the other is left alone."""
    base = f"{registry.host}/os"
    publish(engine, f"{base}:11", "eleven")
    publish(engine, f"{base}:12", "twelve")
    matrix = partial(
        pipeline("docker_matrix", "matrix"),
        base=base,
        versions=("11", "12"),
        setup="cp /name /copy",
        test="test -s /copy",
        name="lab/tools",
        docker_host=engine.host,
    )
    async with start(matrix) as h:
        await over(h)
        assert h.output == Ok(None)
        assert engine.docker("run", "--rm", "lab/tools:12", "cat", "/copy") == "twelve"
        publish(engine, f"{base}:12", "twelve and a bit")
        await h.advance(timedelta(days=8))
        await h.until(lambda: len(h.history("docker-tag")) == 3, timeout=20)
        await h.settle()
        assert engine.docker("run", "--rm", "lab/tools:12", "cat", "/copy") == "twelve and a bit"
        assert len(h.history("docker-build")) == 3


async def test_service(
    swarm: DockerEngine, service: str, registry: Registry, repo: Repo, start: Start
) -> None:
    """What was pushed runs; and the next commit, too."""
    publish(swarm, f"{registry.host}/base:1", "base")
    dockerfile = f"FROM {registry.host}/base:1\nCOPY a.txt /\nCMD exec sleep 8001\n"
    repo.commit("build", Dockerfile=dockerfile)
    example = partial(
        pipeline("docker_service", "service"),
        image=f"{registry.host}/shop",
        service=service,
        repo=repo.path,
        docker_host=swarm.host,
    )
    async with start(example) as h:
        await over(h)
        assert h.output == Ok(None)
        assert swarm.processes("8001")
        repo.commit("next", Dockerfile=dockerfile.replace("8001", "8002"))
        await h.until(lambda: len(h.history("docker-service")) == 2, timeout=40)
        await h.settle()
        assert h.output == Ok(None)
        assert swarm.processes("8002")
        assert not swarm.processes("8001")


async def test_deploy(
    swarm: DockerEngine,
    service: str,
    registry: Registry,
    repo: Repo,
    chat: Slack,
    start: Start,
) -> None:
    """A commit that passes is deployed once that is confirmed; a pin goes back to an older one."""
    publish(swarm, f"{registry.host}/base:1", "base")
    program = f"FROM {registry.host}/base:1\nCOPY a.txt /\nCMD exec sleep 900$(cat /a.txt)\n"
    first = repo.commit("first", Dockerfile=program, a_txt="1")
    example = partial(
        pipeline("deploy", "deploy"),
        repo=repo.path.as_uri(),
        image=f"{registry.host}/shop",
        service=service,
        test="grep -v bad /a.txt",
        docker_host=swarm.host,
        channel="#builds",
    )
    async with start(example, config=Config(confirm=Level.DANGEROUS)) as h:

        async def deploys(commit: str, number: str) -> None:
            await h.until(lambda: any("raised_hand" in text for text in chat.texts), timeout=40)
            assert f"`{commit[:10]}`" in chat.texts[0]
            h.find(f"service {service}").approve()
            await h.until(lambda: any("rocket" in text for text in chat.texts), timeout=40)
            assert f"`{commit[:10]}`" in chat.texts[0]
            assert swarm.processes(f"900{number}")

        await deploys(first, "1")
        bad = repo.commit("bad", a_txt="bad")
        await h.advance(timedelta(minutes=6))
        await h.until(lambda: any(":x:" in text for text in chat.texts), timeout=40)
        assert chat.texts == [
            f":x: {service} is not `{bad[:10]}`: the command in the container exited with status 1"
        ]
        assert swarm.processes("9001")
        second = repo.commit("second", a_txt="2")
        await h.advance(timedelta(minutes=6))
        await deploys(second, "2")
        builds = len(h.history("docker-build"))
        h.engine.pin("head", first[:10], by="ann", reason="it is slow")
        await deploys(first, "1")
        assert not swarm.processes("9002")
        h.engine.unpin("head", by="ann")
        await deploys(second, "2")
        assert len(h.history("docker-build")) == builds


@pytest_asyncio.fixture
async def github(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeGithub]:
    """A GitHub that knows the shop and the deployer."""
    server = FakeGithub()
    await server.start()
    monkeypatch.setenv("GITHUB_TOKEN", server.token)
    for name in ("octo/shop", "octo/deployer"):
        server.add(name)
    yield server
    await server.stop()


@pytest.fixture
def rows(swarm: DockerEngine) -> Iterator[None]:
    """The services of the deployer's table, with another image."""
    images(swarm)
    options = ("--detach", "--no-resolve-image", "--restart-condition=none", *MONITOR)
    names = ("shop_web", "shop_staging", "deployer")
    for name in names:
        swarm.docker("service", "create", f"--name={name}", *options, "app:1")
    yield
    swarm.docker("service", "rm", *names)


@pytest.mark.usefixtures("rows")
async def test_deployer(
    swarm: DockerEngine, registry: Registry, github: FakeGithub, tmp_path: Path, start: Start
) -> None:
    """Each row at its branch, those that matter once that is approved; a pin goes back without a
    build, and GitHub shows it.
    """
    publish(swarm, f"{registry.host}/base:1", "base")
    program = f"FROM {registry.host}/base:1\nCOPY a.txt /\nCMD exec sleep 900$(cat /a.txt)\n"
    shop, deployer = Repo.init(tmp_path / "octo/shop"), Repo.init(tmp_path / "octo/deployer")
    first = shop.commit("first", Dockerfile=program, a_txt="1")
    shop.git("branch", "next")
    shop.git("checkout", "--quiet", "-b", "live")
    own = deployer.commit("own", Dockerfile=program, a_txt="3")
    deployer.git("branch", "live")
    github.repositories["octo/shop"].statuses[first] = []
    github.repositories["octo/deployer"].statuses[own] = []
    example = partial(
        pipeline("deployer", "deployer"),
        repos=(tmp_path / "octo").as_uri(),
        registry=f"{registry.host}/octo",
        docker_host=swarm.host,
        github=github.url,
    )

    def shown() -> list[tuple[str, str, str | None]]:
        made = github.deployments.made.get("octo/shop", [])
        return [(one.environment, one.sha, one.state) for one in made]

    async with start(example, config=Config(confirm=Level.DANGEROUS)) as h:

        async def deploys(service: str, number: str) -> None:
            await h.until(lambda: waiting(h, service), timeout=40)
            h.find(f"service {service}").approve()
            await h.until(lambda: swarm.processes(f"900{number}"), timeout=40)
            await h.until(lambda: not waiting(h, service), timeout=40)

        await h.until(lambda: ("staging", first, "success") in shown(), timeout=60)
        assert ("production", first, "queued") in shown()
        await deploys("shop_web", "1")
        await deploys("deployer", "3")
        await h.until(lambda: h.output == Ok(None), timeout=40)
        second = shop.commit("second", a_txt="2")
        github.repositories["octo/shop"].statuses[second] = []
        await h.advance(timedelta(minutes=2))
        await deploys("shop_web", "2")
        await h.until(lambda: ("production", second, "success") in shown(), timeout=40)
        builds = len(h.history("docker-build"))
        h.engine.pin("shop_web head", first[:10], by="ann", reason="it is slow")
        await deploys("shop_web", "1")
        await h.until(lambda: shown()[-1] == ("production", first, "success"), timeout=40)
        assert ("production", second, "inactive") in shown()
        assert len(h.history("docker-build")) == builds


def waiting(h: Harness, service: str) -> bool:
    """True if the update of a service waits for approval."""
    asks = Active(Activity.WAITING_FOR_CONFIRMATION)
    jobs = [job for job in h.jobs.values() if f"service {service} " in job.description]
    return any(job.outcome == asks for job in jobs)


def publish(engine: DockerEngine, name: str, text: str) -> None:
    """Push an image with a file that holds the text."""
    stdin = f"FROM lab/base:1\nRUN echo -n {text} > /name\n".encode()
    id = engine.docker("build", "--quiet", "-", stdin=stdin)
    engine.docker("tag", id, name)
    engine.docker("push", name)
    engine.docker("image", "rm", name)
