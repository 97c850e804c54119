"""Images that are built, and builds that are stopped."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePath

import pytest

import pycurrent as current
from pycurrent import Failed, Job, Level, Ok, Pool, Tree, UsageError, Var, builder
from pycurrent.plugins import docker, git
from pycurrent.testing import Harness

from ..repositories import Repo
from .engine import DockerEngine
from .killing import go_on, kill_at_work
from .waiting import over, until

Start = Callable[..., Harness]

# What the two builders make of the same Dockerfile has to be the same to us.
BUILDERS = pytest.mark.parametrize("buildx", [True, False], ids=["buildx", "classic"])


@pytest.fixture(autouse=True)
def _classic_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker build` is the classic builder: with the plugin it would be the same as buildx."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")


def text_of(engine: DockerEngine, image: object) -> str:
    assert isinstance(image, Ok), image
    return engine.docker("run", "--rm", image.value.id, "cat", "/text")


@BUILDERS
async def test_a_commit_is_built(
    context: docker.Context, engine: DockerEngine, repo: Repo, start: Start, buildx: bool
) -> None:
    """With its own Dockerfile; and again only when there is another commit."""
    repo.commit("build", Dockerfile="FROM lab/base:1\nCOPY a.txt /text\n")
    head = git.Local(repo.path).head_commit()
    async with start(lambda: context.build(head, buildx=buildx)) as h:
        await over(h)
        assert text_of(engine, h.output) == "one"
        repo.commit("second", a_txt="two")
        await h.until(lambda: len(h.history()) == 2, timeout=20)
        await h.settle()
        assert text_of(engine, h.output) == "two"


async def test_a_part_of_a_commit_is_built(
    context: docker.Context, engine: DockerEngine, repo: Repo, start: Start
) -> None:
    """Again only if the content of that part has changed."""
    (repo.path / "web").mkdir()
    (repo.path / "web/Dockerfile").write_text("FROM lab/base:1\nCOPY a.txt /text\n")
    (repo.path / "web/a.txt").write_text("one")
    repo.commit("build")
    head = git.Local(repo.path).head_commit()
    async with start(lambda: context.build(git.tree(head, "web"), path="web")) as h:
        await over(h)
        assert text_of(engine, h.output) == "one"
        assert "by hand: git clone" in h.log("build")
        repo.commit("elsewhere", a_txt="two")
        (repo.path / "web/a.txt").write_text("three")
        repo.commit("here")
        await h.until(lambda: len(h.history()) == 2, timeout=20)
        await h.settle()
        assert text_of(engine, h.output) == "three"


@BUILDERS
async def test_a_saved_tree_is_built(
    context: docker.Context, engine: DockerEngine, start: Start, buildx: bool
) -> None:
    """Again only for other content, with permissions and links; of a folder in it, too."""
    version = Var("version", "one")

    @builder("sources", level=Level.HARMLESS)
    async def sources(job: Job, version: str) -> Tree:
        async with job.tempdir() as folder:
            (folder / "web").mkdir()
            (folder / "web/Dockerfile").write_text(
                "FROM lab/base:1\nCOPY . /\nRUN /ä\\ b > /text\n"
            )
            (folder / "web/ä b").write_text(f"#!/bin/sh\necho -n {version[:3]}; ls link\n")
            (folder / "web/ä b").chmod(0o755)
            (folder / "web/link").symlink_to("ä b")
            return await job.save(folder)

    def pipeline() -> current.Current[docker.Image]:
        return context.build(sources(version.get()), path="web", buildx=buildx)

    async with start(pipeline) as h:
        await over(h)
        assert text_of(engine, h.output) == "onelink"
        version.set("one again")
        await h.until(lambda: len(h.history("sources")) == 2, timeout=20)
        await h.settle()
        assert len(h.history("docker-build")) == 1
        version.set("two")
        await h.until(lambda: len(h.history("docker-build")) == 2, timeout=40)
        await h.settle()
        assert text_of(engine, h.output) == "twolink"


async def test_a_lost_tree_is_made_again_for_a_build(
    context: docker.Context, engine: DockerEngine, start: Start, tmp_path: Path
) -> None:
    """By the job that had saved it; the build that has found that out runs after it."""

    @builder("sources", level=Level.HARMLESS)
    async def sources(job: Job, version: str) -> Tree:
        async with job.tempdir() as folder:
            (folder / "Dockerfile").write_text("FROM lab/base:1\nCOPY Dockerfile /text\n")
            return await job.save(folder)

    target: Var[str | None] = Var("target", None)

    def pipeline() -> current.Current[docker.Image]:
        def built(arg: str | None) -> current.Current[docker.Image]:
            return context.build(sources("x"), build_args={"NAME": arg} if arg else None)

        return target.get().bind(built)

    async with start(pipeline) as h:
        await over(h)
        for path in (tmp_path / "state" / "files" / "objects").rglob("*/*"):
            path.unlink()
        target.set("other")
        await h.until(lambda: len(h.history("docker-build")) == 3, timeout=40)
        await h.settle()
        assert text_of(engine, h.output).startswith("FROM")
        assert len(h.history("sources")) == 2


@BUILDERS
async def test_a_dockerfile_can_be_given(
    context: docker.Context, engine: DockerEngine, start: Start, tmp_path: Path, buildx: bool
) -> None:
    """As a text, for a folder; as a path in it; and without any context."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_text("from the folder")
    (tmp_path / "sub/Other").write_text("FROM lab/base:1\nCOPY a /text\nRUN echo >> /text\n")
    from_text = "FROM lab/base:1\nARG WHAT\nRUN echo -n $WHAT > /text\n"
    builds = [
        context.build(tmp_path, path="sub", dockerfile=PurePath("Other"), buildx=buildx),
        context.build(tmp_path, dockerfile=from_text, build_args={"WHAT": "x"}, buildx=buildx),
        context.build(None, dockerfile=from_text, build_args={"WHAT": "y"}, buildx=buildx),
    ]
    async with start(lambda: current.seq(builds)) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.output
        texts = [text_of(engine, Ok(image)) for image in h.output.value]
        assert texts == ["from the folder", "x", "y"]


async def test_an_image_can_be_built_on_another(
    context: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """The Dockerfile may be a current."""
    word = Var("word", "first")
    text = word.get().map(lambda word: f"FROM lab/base:1\nRUN echo -n {word} > /text\n")
    async with start(lambda: context.build(None, dockerfile=text)) as h:
        await over(h)
        assert text_of(engine, h.output) == "first"
        word.set("second")
        await h.until(lambda: len(h.history()) == 2, timeout=20)
        await h.settle()
        assert text_of(engine, h.output) == "second"


@BUILDERS
@pytest.mark.parametrize(
    ("dockerfile", "reason"),
    [
        ("FROM lab/base:1\nRUN echo oh no; exit 9\n", r"docker \w+: .*echo oh no; exit 9.*: 9"),
        ("FROM lab/base:1\nNONSENSE\n", r"docker \w+: .*unknown instruction: NONSENSE"),
        ("FROM lab/base:1\nCOPY missing /x\n", r"docker \w+: .*missing.*"),
        ("FROM lab/base:1\nRUN echo > /dev/full\n", r".*: 1 \(no space left on device\)"),
    ],
    ids=["step", "syntax", "file", "disk"],
)
async def test_failures_name_the_cause(
    context: docker.Context,
    engine: DockerEngine,
    start: Start,
    buildx: bool,
    dockerfile: str,
    reason: str,
) -> None:
    """In a line; and no container of the step that failed is left."""
    async with start(lambda: context.build(None, dockerfile=dockerfile, buildx=buildx)) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert re.fullmatch(reason, h.output.message), h.output.message
    assert engine.containers() == []


@BUILDERS
async def test_a_cancelled_build_is_stopped_in_the_engine(
    context: docker.Context, engine: DockerEngine, start: Start, buildx: bool
) -> None:
    """No process of it, and no container."""
    mark = f"500{buildx:d}"
    text = f"FROM lab/base:1\nRUN sleep {mark}\n"
    async with start(lambda: context.build(None, dockerfile=text, buildx=buildx)) as h:
        await h.until(lambda: engine.processes(mark), timeout=20)
        h.find("build").cancel("enough")
        await over(h)
        assert h.output == Failed("Cancelled: enough")
        await h.until(lambda: not engine.processes(mark), timeout=20)
        await h.until(lambda: not engine.containers(), timeout=20)


@BUILDERS
async def test_a_build_ends_with_our_engine(
    engine: DockerEngine, tmp_path: Path, buildx: bool
) -> None:
    """No process of it goes on, and no container is left."""
    mark = f"501{buildx:d}"
    text = f"FROM lab/base:1\nRUN sleep {mark}\n"
    work = f"build(None, dockerfile={text!r}, buildx={buildx})"
    await kill_at_work(tmp_path, engine, work, mark)
    await until(lambda: not engine.processes(mark) and not engine.containers())


@BUILDERS
async def test_a_build_outlives_our_engine(
    engine: DockerEngine, tmp_path: Path, buildx: bool
) -> None:
    """The next one goes on with it, and has its image."""
    mark = f"502{buildx:d}"
    text = f"FROM lab/base:1\nRUN sh -c 'sleep 4; echo over' {mark}\n"
    work = f"build(None, dockerfile={text!r}, buildx={buildx})"
    await kill_at_work(tmp_path, engine, work, mark, lease="10m")
    assert engine.processes(mark)
    log = await go_on(tmp_path)
    assert len(re.findall(r"(?:^|\s)over$", log, re.MULTILINE)) == 1
    assert log.count("Exec: ") == log.count(" --help") + 1


async def test_builds_are_told_apart(context: docker.Context, start: Start) -> None:
    """Without a context, by what they begin with."""
    text = "# syntax\nfrom --platform=linux/amd64 nosuch/base:1 AS first\nFROM first\n"
    async with start(lambda: context.build(None, dockerfile=text)) as h:
        assert h.find("build").description == "build on nosuch/base:1"


async def test_secrets_are_in_a_step_only(
    context: docker.Context, engine: DockerEngine, start: Start, tmp_path: Path
) -> None:
    """By BuildKit; neither the log nor the image has them."""
    secret = "psst-psst-0815"
    text = (
        "FROM lab/base:1\n"
        "RUN --mount=type=secret,id=TOKEN rev /run/secrets/TOKEN > /text; cat /run/secrets/TOKEN\n"
    )
    async with start(
        lambda: context.build(None, dockerfile=text, secrets={"TOKEN": secret}, buildx=True)
    ) as h:
        await over(h)
        assert text_of(engine, h.output) == secret[::-1]
        assert "****" in h.log("build")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


async def test_paths_stay_in_the_context(
    context: docker.Context, start: Start, tmp_path: Path
) -> None:
    """Neither by their names, nor by links that a commit has."""
    for path in ("/etc", "../x", "a/../../x"):
        async with start(lambda path=path: context.build(tmp_path, path=path)) as h:
            await h.settle()
            assert isinstance(h.output, Failed)
            assert "is not a path within the build context" in h.output.message
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "etc").symlink_to("/etc")
    (folder / "Dockerfile").symlink_to("/etc/hostname")
    for options in ({"path": "etc"}, {}):
        async with start(lambda o=options: context.build(folder, **o)) as h:
            await over(h)
            assert isinstance(h.output, Failed)
            assert "leads out of the build context" in h.output.message


async def test_without_a_context_there_must_be_a_text(context: docker.Context) -> None:
    """There is no file to be found."""
    with pytest.raises(UsageError, match="give the Dockerfile as a text"):
        context.build(None)


async def test_an_engine_that_dies_in_a_build_is_named(
    new_engine: Callable[[], AbstractContextManager[DockerEngine]], start: Start
) -> None:
    """The message says so; and once it is there again the build succeeds."""
    with new_engine() as engine:
        context = docker.Context(engine.host, engine.config)
        text = "FROM lab/base:1\nRUN test -e /etc/hosts && sleep 3\n"
        async with start(lambda: context.build(None, dockerfile=text)) as h:
            await h.until(lambda: engine.processes("3"), timeout=20)
            engine.kill()
            await over(h)
            assert isinstance(h.output, Failed)
            assert "the engine has broken off the connection" in h.output.message
            engine.start()
            h.find("build").rebuild()
            await h.until(lambda: isinstance(h.output, Ok), timeout=30)


async def test_a_pool_limits_how_many_are_built(
    context: docker.Context, engine: DockerEngine, start: Start
) -> None:
    """However many there are to build."""
    pool = Pool("builds", 2)
    builds = [
        context.build(None, dockerfile=f"FROM lab/base:1\nRUN sleep 1 0.{number}\n", pool=pool)
        for number in range(4)
    ]
    async with start(lambda: current.all(builds)) as h:
        used = built = 0

        def watch() -> bool:
            nonlocal used, built
            used = max(used, pool.used)
            built = max(built, len(engine.processes("sleep")))
            return isinstance(h.output, Ok)

        await h.until(watch, timeout=60)
        # Of two that are built at once one may not have come to its command yet.
        assert used == 2
        assert 1 <= built <= 2
