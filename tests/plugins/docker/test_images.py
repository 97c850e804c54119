"""Images that go to registries, and come from them."""

import io
import json
import re
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

import pycurrent as current
from pycurrent import Current, Failed, Ok, Retry, Schedule, UsageError
from pycurrent.plugins import docker
from pycurrent.testing import Harness

from .engine import DockerEngine
from .registry import LAYER, PASSWORD, USER, Registry, breaking_off, stalling, taking_slowly
from .waiting import over

NEVER = Retry(infra=0)

Start = Callable[..., Harness]
DIGEST = r"sha256:[0-9a-f]{64}"
HOURLY = Schedule(valid_for=timedelta(hours=1))


def make_image(engine: DockerEngine, text: str) -> docker.Image:
    """One that no other test has."""
    return docker.Image(
        engine.build(f"FROM lab/base:1\nLABEL text={json.dumps(text)}\nRUN echo {text} > /text\n")
    )


async def test_what_was_pushed_can_be_peeked_at_and_pulled(
    context: docker.Context, engine: DockerEngine, registry: Registry, start: Start
) -> None:
    """By the digest that the push has given."""
    image, name = make_image(engine, "there and back"), f"{registry.host}/round:1"
    async with start(lambda: context.push(image, name)) as h:
        await over(h)
        assert isinstance(h.output, Ok)
        digest = h.output.value
    assert re.fullmatch(f"{registry.host}/round@{DIGEST}", digest)
    engine.docker("image", "rm", "--force", image.id)
    async with start(lambda: current.pair(context.peek(name), context.pull(name))) as h:
        await over(h)
        assert h.output == Ok((digest, docker.Image(image.id, digest)))


async def test_an_image_that_is_the_same_changes_nothing(
    context: docker.Context, engine: DockerEngine, registry: Registry, start: Start
) -> None:
    """What depends on a pull is made again only when there is something new."""
    name = f"{registry.host}/scheduled:1"
    first, second = make_image(engine, "first"), make_image(engine, "second")
    push_by_hand(engine, first, name)
    seen: list[docker.Image] = []
    async with start(lambda: context.pull(name, schedule=HOURLY).map(seen.append)) as h:
        await over(h)
        await h.advance(timedelta(hours=2))
        assert [image.id for image in seen] == [first.id]
        push_by_hand(engine, second, name)
        await h.advance(timedelta(hours=2))
        assert [image.id for image in seen] == [first.id, second.id]
        assert len(h.history("docker-pull")) == 1 + 2 * 2


async def test_a_manifest_has_an_image_for_each_platform(
    context: docker.Context, engine: DockerEngine, registry: Registry, start: Start
) -> None:
    """Who asks for one gets that; and who asks for another is told which there are."""
    name = f"{registry.host}/multi"
    mine = make_image(engine, "mine")
    other = imported(engine, "linux/arm64")

    def pipeline() -> current.Current[str]:
        digests = [context.push(mine, f"{name}:mine"), context.push(other, f"{name}:other")]
        return context.push_manifest(f"{name}:all", digests)

    async with start(pipeline) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.output
    pulls = [
        context.pull(f"{name}:all"),
        context.pull(f"{name}:all", platform="linux/arm64"),
        context.pull(f"{name}:all", platform="linux/s390x"),
    ]
    async with start(lambda: current.seq([pull.state() for pull in pulls])) as h:
        await h.until(lambda: len(h.history("docker-pull")) == len(pulls), timeout=30)
        await h.settle()
        assert isinstance(h.output, Ok)
        default, arm, none = h.output.value
    assert label_of(engine, default.value) == "mine"
    assert label_of(engine, arm.value) == "linux/arm64"
    assert "not available for linux/s390x, only for linux/amd64, linux/arm64" in none.message


async def test_two_images_for_one_name_are_refused(
    context: docker.Context, registry: Registry, start: Start
) -> None:
    """Neither is pushed."""
    one, two = (docker.Image(f"sha256:{digit * 64}") for digit in "12")
    name = f"{registry.host}/conflict:1"
    pushes = [context.push(one, name), context.push(two, name)]
    async with start(lambda: current.all(pushes)) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.history() == []


async def test_a_tag_leads_to_the_image(
    context: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """In the engine; and to the next one, once that takes its place."""
    one, two = make_image(engine, "tag one"), make_image(engine, "tag two")
    image = current.Var("image", one)
    async with start(lambda: context.tag(image.get(), "lab/tagged:1")) as h:
        await over(h)
        assert engine.docker("images", "--no-trunc", "--quiet", "lab/tagged") == one.id
        image.set(two)
        await h.settle()
        assert engine.docker("images", "--no-trunc", "--quiet", "lab/tagged") == two.id


async def test_a_login_lasts_as_long_as_its_job(
    context: docker.Context,
    engine: DockerEngine,
    closed_registry: Registry,
    start: Start,
    tmp_path: Path,
) -> None:
    """And the password is nowhere: not in a log, the database, or the settings of `docker`."""
    image, name = make_image(engine, "secret"), f"{closed_registry.host}/secret:1"
    auth = docker.Auth(USER, PASSWORD)
    async with start(lambda: context.push(image, name, auth=auth)) as h:
        await over(h)
        assert isinstance(h.output, Ok)
    async with start(lambda: context.peek(name)) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert "no basic auth credentials" in h.output.message
    engine.docker("image", "rm", "--force", image.id)
    pulls = [context.peek(name, auth=auth, platform="linux/amd64"), context.pull(name, auth=auth)]
    async with start(lambda: current.all(pulls)) as h:
        await over(h)
        assert h.output == Ok(None)
    assert PASSWORD not in repr(auth)
    for folder in (tmp_path, engine.config):
        for file in folder.rglob("*"):
            if file.is_file() and "cli-plugins" not in file.parts:
                assert PASSWORD.encode() not in file.read_bytes(), file


async def test_a_wrong_password_is_named(
    context: docker.Context, engine: DockerEngine, closed_registry: Registry, start: Start
) -> None:
    """And not shown."""
    name = f"{closed_registry.host}/secret:1"
    auth = docker.Auth(USER, "wrong-password")
    async with start(lambda: context.pull(name, auth=auth)) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("docker login: ")
        assert "401 Unauthorized" in h.output.message
        assert "wrong-password" not in h.log("pull")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "{registry}/nosuch:1",
            "docker pull: (manifest for .* not found: manifest unknown|.*/nosuch:1: not found)",
        ),
        ("127.0.0.1:1/x:1", "docker pull: .*connection refused"),
    ],
)
async def test_failures_to_pull_name_the_cause(
    context: docker.Context, registry: Registry, start: Start, name: str, reason: str
) -> None:
    """What the engine says of it."""
    async with start(lambda: context.pull(name.format(registry=registry.host), retry=NEVER)) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert re.match(reason, h.output.message), h.output.message


async def test_a_registry_that_refuses_is_named(
    context: docker.Context,
    base: docker.Image,
    closed_registry: Registry,
    read_only_registry: Registry,
    start: Start,
) -> None:
    """With what there is to do about it."""
    for registry, reason in (
        (closed_registry, "the registry asks for a password: give auth"),
        (read_only_registry, "the registry is read-only"),
    ):
        name = f"{registry.host}/refused:1"
        async with start(lambda name=name: context.push(base, name)) as h:
            await over(h)
            assert isinstance(h.output, Failed)
            assert h.output.message.endswith(f" ({reason})")


async def test_a_registry_that_breaks_off_is_not_taken_for_the_engine(
    context: docker.Context, base: docker.Image, start: Start
) -> None:
    """Whoever is asked for images by it."""
    async with breaking_off() as host:
        name = f"{host}/x:1"
        asked: list[current.Current[object]] = [
            context.push(base, f"{host}/pushed:1").map(str),
            context.pull(name, retry=NEVER).map(str),
            context.build(None, dockerfile=f"FROM {name}\n", retry=NEVER).map(str),
            context.build(None, dockerfile=f"FROM {name}\n", buildx=True, retry=NEVER).map(str),
        ]
        async with start(lambda: current.seq([one.state() for one in asked])) as h:
            await h.until(lambda: len(h.history()) == len(asked), timeout=30)
            await h.settle()
            assert isinstance(h.output, Ok)
            for failed in h.output.value:
                assert isinstance(failed, Failed)
                assert "the server has broken off the connection" in failed.message
                assert host in failed.message


async def test_a_cancelled_push_is_stopped_in_the_engine(
    context: docker.Context, engine: DockerEngine, registry: Registry, start: Start
) -> None:
    """The engine breaks off the upload."""
    async with taking_slowly() as slow:
        name = f"{slow.host}/long:1"
        id = engine.docker("import", "-", name, stdin=tar_of("file", Random(2).randbytes(10**7)))
        async with start(lambda: context.push(docker.Image(id), name)) as h:
            await h.until(lambda: slow.waiting, timeout=20)
            h.find("push").cancel("enough")
            await over(h)
            assert h.output == Failed("Cancelled: enough")
            await h.until(lambda: slow.waiting == 0, timeout=20)
            assert slow.received < 10**7


async def test_a_cancelled_pull_is_stopped_in_the_engine(
    context: docker.Context, engine: DockerEngine, registry: Registry, start: Start
) -> None:
    """The engine breaks off the download, and has no image."""
    name = f"{registry.host}/long:1"
    id = engine.docker("import", "-", name, stdin=tar_of("file", Random(1).randbytes(2 * LAYER)))
    engine.docker("push", name)
    engine.docker("image", "rm", "--force", name)
    async with (
        stalling(registry) as stalled,
        start(lambda: context.pull(f"{stalled.host}/long:1")) as h,
    ):
        await h.until(lambda: stalled.waiting, timeout=20)
        h.find("pull").cancel("enough")
        await over(h)
        assert h.output == Failed("Cancelled: enough")
        await h.until(lambda: stalled.waiting == 0, timeout=20)
    assert id not in engine.images()


async def test_names_are_no_options(context: docker.Context, start: Start) -> None:
    """Nothing from outside is taken for an option, or for several words."""
    for name in ("--help", "-q", "", "a b", "a\nb"):
        async with start(lambda name=name: context.pull(name)) as h:
            await h.settle()
            assert isinstance(h.output, Failed)
            assert "is not the name of an image" in h.output.message
            assert h.history() == []
    with pytest.raises(UsageError):
        docker.Context("--help")


async def test_engines_stand_side_by_side(
    context: docker.Context, new_engine: Callable[..., object], start: Start
) -> None:
    """Each has its own images and containers; one by its address, one by a context of Docker's."""
    with new_engine() as other:  # type: ignore[attr-defined]
        other.docker("context", "create", "second", f"--docker=host={other.host}")
        second = docker.Context("second", other.config)
        image = make_image(other, "only there")
        nowhere = docker.Context("third", other.config)
        engines = (context, second, nowhere)
        runs = [engine.run(image, args=["true"]).state() for engine in engines]
        async with start(lambda: current.seq(runs)) as h:
            await h.until(lambda: len(h.history()) == 3, timeout=20)
            await h.settle()
            assert isinstance(h.output, Ok)
            here, there, none = h.output.value
            assert isinstance(here, Failed)
            assert there == Ok(None)
            assert none == Failed('docker ps: there is no context "third": see docker context ls')


def tar_of(name: str, data: bytes) -> bytes:
    """A tar file with one file in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def push_by_hand(engine: DockerEngine, image: docker.Image, name: str) -> None:
    engine.docker("tag", image.id, name)
    engine.docker("push", name)
    engine.docker("image", "rm", name)


def imported(engine: DockerEngine, platform: str) -> docker.Image:
    """An image that says it is for a platform."""
    folder = engine.folder / "scratch"
    folder.mkdir(exist_ok=True)
    (folder / "platform").write_text(platform)
    text = f"FROM scratch\nLABEL text={platform}\nCOPY platform /\n"
    return docker.Image(engine.build(text, f"--platform={platform}", context=folder))


def label_of(engine: DockerEngine, image: docker.Image) -> str:
    """What tells the images of these tests apart, by whatever id the engine knows them."""
    form = "{{.Config.Labels.text}}"
    return engine.docker("image", "inspect", "--format", form, image.id)


async def test_a_pruned_image_is_built_and_tagged_again(
    context: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """At the next start: one look tells of all; what is there is not built again."""
    names = ["kept:1", "lost:1", "moved:1"]

    def pipeline() -> Current[None]:
        return current.all([tagged(name) for name in names])

    def tagged(name: str) -> Current[None]:
        dockerfile = f"FROM lab/base:1\nLABEL still={name}\n"
        return context.tag(context.build(None, dockerfile=dockerfile), name)

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok(None)
    engine.docker("image", "rm", "--force", "lost:1")
    engine.docker("tag", "lab/base:1", "moved:1")
    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok(None)
        assert list(h.engine.opened.problems) == []
        history = h.history()
    again = [build.op for build in history if build.build == 1]
    assert sorted(again) == ["docker-build", "docker-tag", "docker-tag"]
    for name in names:
        engine.docker("image", "inspect", name)


async def test_an_engine_that_does_not_answer_has_lost_nothing(
    engine: DockerEngine, start: Start, tmp_path: Path
) -> None:
    """Nobody knows what it has, and that is said."""
    socket = tmp_path / "s"
    socket.symlink_to(engine.host.removeprefix("unix://"))
    context = docker.Context(f"unix://{socket}", engine.config)

    def pipeline() -> Current[docker.Image]:
        return context.build(None, dockerfile="FROM lab/base:1\nLABEL still=answers\n")

    async with start(pipeline) as h:
        await over(h)
        assert isinstance(h.output, Ok)
    socket.unlink()
    async with start(pipeline) as h:
        await over(h)
        assert isinstance(h.output, Ok)
        (problem,) = h.engine.opened.problems
        assert "operation 'docker-build' can't tell" in problem.message
