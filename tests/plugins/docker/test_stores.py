"""What one operation gives, the others take: with each builder, and each way to store images."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Ok
from pycurrent.plugins import docker
from pycurrent.testing import Harness

from .engine import DockerEngine
from .registry import Registry
from .waiting import over

Start = Callable[..., Harness]


@pytest.fixture(params=["buildx", "docker build", "classic"])
def buildx(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """The option; `docker build` is BuildKit, or the classic builder."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0" if request.param == "classic" else "1")
    option: bool = request.param == "buildx"
    return option


def dockerfile(base: object, text: str) -> str:
    return f"FROM {base}\nRUN echo {text} >> /text\n"


def after(done: current.Current[str], name: str) -> current.Current[str]:
    return done.map(lambda _: name)


async def test_an_image_that_was_built_is_taken_by_all(
    context: docker.Context, engine: DockerEngine, registry: Registry, start: Start, buildx: bool
) -> None:
    """It is built upon, run, read, tagged, pushed, pulled, and put in a manifest."""
    name = f"{registry.host}/all"

    def pipeline() -> current.Current[object]:
        first = context.build(None, dockerfile=dockerfile("lab/base:1", "one"), buildx=buildx)
        second = context.build(
            None, dockerfile=first.map(lambda image: dockerfile(image, "two")), buildx=buildx
        )
        pushed = context.push(second, f"{name}:built")
        listed = context.push_manifest(f"{name}:list", [pushed])
        return current.seq(
            [
                context.run(second, args=["test", "-e", "/text"]),
                context.pread(second, args=["cat", "/text"]),
                context.tag(second, "lab/taken:1"),
                context.pread(context.pull(after(pushed, f"{name}:built")), args=["cat", "/text"]),
                context.pread(context.pull(after(listed, f"{name}:list")), args=["cat", "/text"]),
                pushed,
                context.peek(after(pushed, f"{name}:built")),
            ]
        )

    async with start(pipeline) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.output
        _, read, _, pulled, from_list, pushed, _ = h.output.value
        assert read == pulled == from_list == "one\ntwo\n"
        assert pushed.startswith(f"{name}@sha256:")


async def test_a_base_can_be_an_argument_of_the_build(
    context: docker.Context, engine: DockerEngine, start: Start, buildx: bool, tmp_path: Path
) -> None:
    """For a Dockerfile that is a file of the context; what only looks like one is left as it is."""
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM $BASE\nARG SUM\nRUN echo $SUM > /sum\n")
    other = f"sha256:{'0' * 64}"

    def pipeline() -> current.Current[str]:
        base = context.build(None, dockerfile=dockerfile("lab/base:1", "base"), buildx=buildx)
        args = base.map(lambda image: {"BASE": str(image), "SUM": other})
        built = context.build(tmp_path, build_args=args, buildx=buildx)
        return context.pread(built, args=["cat", "/text", "/sum"])

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok(f"base\n{other}\n")


async def test_parts_are_taken_from_an_image_that_was_built(
    context: docker.Context, start: Start, buildx: bool
) -> None:
    """`COPY --from=` takes what `FROM` takes."""

    def pipeline() -> current.Current[str]:
        part = context.build(None, dockerfile=dockerfile("lab/base:1", "part"), buildx=buildx)
        whole = part.map(lambda image: f"FROM lab/base:1\nCOPY --from={image} /text /copied\n")
        built = context.build(None, dockerfile=whole, buildx=buildx)
        return context.pread(built, args=["cat", "/copied"])

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok("part\n")


async def test_a_build_that_is_wholly_cached_gives_the_same_image(
    context: docker.Context, start: Start, buildx: bool
) -> None:
    """So that nothing is made again after it."""
    text = dockerfile("lab/base:1", f"cached {buildx}")
    seen: set[docker.Image] = set()
    async with start(lambda: context.build(None, dockerfile=text, buildx=buildx)) as h:
        await over(h)
        for _ in range(3):
            assert isinstance(h.output, Ok), h.output
            seen.add(h.output.value)
            last = h.find("build").rebuild()
            await h.until(lambda: h.history()[-1].job_id == last, timeout=40)  # noqa: B023
            await h.settle()
    assert len(seen) == 1


async def test_images_with_attestations_are_put_in_a_manifest(
    context: docker.Context, engine: DockerEngine, registry: Registry, start: Start
) -> None:
    """Others may have pushed them: in the registry, each of them is a list already."""
    if not engine.is_newer:
        # The other one can't make them; to a registry they are all the same.
        return
    name = f"{registry.host}/attested"
    text = dockerfile("lab/base:1", "attested").encode()
    engine.docker("buildx", "build", "--load", f"--tag={name}:1", "-", stdin=text)
    said = engine.docker("push", f"{name}:1")
    digest = f"{name}@{re.findall(r'digest: (sha256:[0-9a-f]+)', said)[-1]}"
    engine.docker("image", "rm", f"{name}:1")

    def pipeline() -> current.Current[str]:
        plain = context.build(None, dockerfile=dockerfile("lab/base:1", "plain"), buildx=True)
        digests = [current.constant(digest), context.push(plain, f"{name}:plain")]
        listed = context.push_manifest(f"{name}:all", digests)
        return context.pread(context.pull(after(listed, f"{name}:all")), args=["cat", "/text"])

    async with start(pipeline) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.output
        assert h.output.value in {"attested\n", "plain\n"}
