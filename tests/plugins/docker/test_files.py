"""Containers that are given files, and of which files are kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Current, Failed, File, Job, Level, Ok, Tree, UsageError, Var, builder
from pycurrent.cache.codec import codec_for
from pycurrent.plugins import docker
from pycurrent.plugins.docker.container import RunKey
from pycurrent.testing import Harness

from .engine import DockerEngine
from .waiting import over, until

Start = Callable[..., Harness]

TREE = Tree("a" * 64, 1, 2)
FILE = File("b" * 64, 3, 0o755)


@builder("sources", level=Level.HARMLESS)
async def sources(job: Job, version: str) -> Tree:
    async with job.tempdir() as folder:
        (folder / "ä b\nc").mkdir()
        (folder / "ä b\nc" / "-x").write_text(version)
        (folder / "run").write_text("#!/bin/sh\necho ran\n")
        (folder / "run").chmod(0o751)
        (folder / "link").symlink_to("ä b\nc/-x")
        (folder / "empty").mkdir(mode=0o700)
        return await job.save(folder)


@builder("tool", level=Level.HARMLESS)
async def tool(job: Job, text: str) -> File:
    async with job.tempdir() as folder:
        (folder / "x").write_text(text)
        (folder / "x").chmod(0o755)
        return await job.save_file(folder / "x")


def shown(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    mode = f"{path.stat().st_mode & 0o777:o}"
    return mode if path.is_dir() else f"{mode} {path.read_text()}"


@builder("listed", level=Level.HARMLESS)
async def listed(job: Job, tree: Tree) -> list[str]:
    """The paths in a tree, with their permissions, targets and contents."""
    async with job.tempdir() as folder:
        await job.put(tree, folder)
        return [f"{path.relative_to(folder)} {shown(path)}" for path in sorted(folder.rglob("*"))]


async def test_all_of_a_tree_comes_back(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """With names of all kinds, permissions, links and empty folders. Equal content runs nothing."""
    version = Var("version", "one")

    def pipeline() -> Current[list[str]]:
        made = context.run(
            base,
            args=["sh", "-ec", "/in/deep/run; mkdir out; cp -a /in/deep /out/copy; tool > out/t"],
            inputs={"/in/deep": sources(version.get()), "/bin/tool": tool("#!/bin/sh\necho 7")},
            outputs="/out/**",
        )
        return listed(made)

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok(
            [
                "out 755",
                "out/copy 755",
                "out/copy/empty 700",
                "out/copy/link -> ä b\nc/-x",
                "out/copy/run 751 #!/bin/sh\necho ran\n",
                "out/copy/ä b\nc 755",
                "out/copy/ä b\nc/-x 644 one",
                "out/t 644 7\n",
            ]
        )
        assert "\nran\n" in h.log("run")
        version.set("two")
        await h.until(lambda: len(h.history("listed")) == 2, timeout=40)
        version.set("one")
        await h.settle()
        assert len(h.history("docker-files")) == 2
        assert engine.containers() == []


async def test_paths_without_a_slash_are_in_the_working_folder(
    context: docker.Context, base: docker.Image, start: Start
) -> None:
    """That of the image, or of the options; a pattern may be of all that is there."""
    dockerfile = "FROM lab/base:1\nWORKDIR /work\nRUN echo a > there\n"
    image = context.build(None, dockerfile=dockerfile)
    argv = ["sh", "-ec", "cat link in/link > dist; rm -r in run"]

    def pipeline() -> Current[list[list[str]]]:
        files = {".": sources("x"), "in": sources("y")}
        whole = context.run(image, args=argv, inputs=files, outputs="**")
        part = context.run(
            base,
            args=argv,
            run_args=["--workdir=/other"],
            inputs=files,
            outputs=["d*", "nothing/**"],
            label="part",
        )
        return current.seq([listed(whole), listed(part)])

    async with start(pipeline) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.output
        rest = ["empty 700", "link -> ä b\nc/-x", "there 644 a\n", "ä b\nc 755"]
        whole, part = h.output.value
        assert whole == ["dist 644 xy", *rest, "ä b\nc/-x 644 x"]
        assert part == ["dist 644 xy"]


async def test_a_folder_that_is_there_stays_as_it_is(
    context: docker.Context, base: docker.Image, start: Start
) -> None:
    """The folders above of what is placed, and what is beside it."""
    dockerfile = "FROM lab/base:1\nRUN mkdir -m 1777 /tmp; mkdir /tmp/in; echo a > /tmp/in/a\n"
    image = context.build(None, dockerfile=dockerfile)
    argv = ["sh", "-ec", "(stat -c %a /tmp; ls /tmp/in) > /tmp/in/out"]

    def pipeline() -> Current[list[str]]:
        inputs = {"/tmp/in": sources("x")}
        return listed(context.run(image, args=argv, inputs=inputs, outputs="/tmp/in/out"))

    async with start(pipeline) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.output
        assert "tmp/in/out 644 1777\na\nempty\nlink\nout\n" in str(h.output.value[-1])


async def test_files_belong_to_the_user_of_the_container(
    context: docker.Context, start: Start
) -> None:
    """Whether the image or an option names it, so that it can change them."""
    dockerfile = (
        "FROM lab/base:1\nRUN mkdir -p /etc && echo 'ci:x:1234:1235::/:/bin/sh' > /etc/passwd\n"
        "USER ci\n"
    )
    image = context.build(None, dockerfile=dockerfile)
    argv = ["sh", "-ec", 'cd /in && stat -c "%u %g %n" . run >> run && echo x > new']

    def made(*options: str) -> Current[list[str]]:
        inputs = {"/in": sources("x")}
        tree = context.run(image, args=argv, run_args=options, inputs=inputs, outputs="/in/run")
        return listed(tree)

    async with start(lambda: current.seq([made(), made("--user=77:78"), made("-u", "0")])) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.output
        owners = [one[-1].split("ran\n")[1] for one in h.output.value]
        assert owners == [
            "1234 1235 .\n1234 1235 run\n",
            "77 78 .\n77 78 run\n",
            "0 0 .\n0 0 run\n",
        ]


async def test_a_list_of_users_that_leads_out_is_not_read(
    context: docker.Context, start: Start
) -> None:
    """A container can't have the engine look into files of its machine."""
    dockerfile = (
        "FROM lab/base:1\nRUN mkdir -p /etc && ln -s /etc/passwd- /etc/passwd\nUSER daemon\n"
    )
    image = context.build(None, dockerfile=dockerfile)
    async with start(lambda: context.run(image, args=["true"], inputs={"/in": sources("x")})) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert "daemon" in h.output.message


async def test_lost_files_are_made_again_before_a_container_runs(
    context: docker.Context, base: docker.Image, start: Start, tmp_path: Path, engine: DockerEngine
) -> None:
    """And outputs that are gone at a start."""
    text = Var("text", "1")

    def pipeline() -> Current[Tree]:
        words = text.get().map(lambda text: ["sh", "-c", f"cp /in/run /out; echo {text} >> /out"])
        return context.run(base, args=words, inputs={"/in": sources("x")}, outputs="/out")

    def lose() -> None:
        for path in (tmp_path / "state" / "files" / "objects").rglob("*/*"):
            path.unlink()

    async with start(pipeline) as h:
        await over(h)
        lose()
        text.set("2")
        await h.until(lambda: len(h.history("docker-files")) == 3, timeout=40)
        await h.settle()
        assert isinstance(h.output, Ok)
        assert len(h.history("sources")) == 2
    lose()
    async with start(pipeline) as h:
        await h.until(lambda: len(h.history("docker-files")) > 3, timeout=40)
        await over(h)
        assert isinstance(h.output, Ok)
    assert engine.containers() == []


@pytest.mark.parametrize(
    ("outputs", "required", "said"),
    [
        ("/none/**", False, None),
        ("/none/**", True, "matches none/**"),
        ("**/*.xml", False, "would be all of the container, as its working folder is /"),
        ("/bin/out", False, "leads out of the folder"),
    ],
)
async def test_outputs_that_can_not_be(
    context: docker.Context,
    base: docker.Image,
    start: Start,
    outputs: str,
    required: bool,
    said: str | None,
) -> None:
    """Nothing is an empty tree, unless it is required; a link that leads out is refused."""
    argv = ["sh", "-c", "ln -s /etc /bin/out"]
    async with start(
        lambda: context.run(base, args=argv, outputs=outputs, outputs_required=required)
    ) as h:
        await over(h)
        if said is None:
            assert isinstance(h.output, Ok)
            assert h.output.value.count == 0
        else:
            assert isinstance(h.output, Failed)
            assert said in h.output.message


async def test_a_container_that_fails_has_no_outputs(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """Half of what it was to make is of no use to others."""
    argv = ["sh", "-c", "echo > /half; exit 3"]
    async with start(lambda: context.run(base, args=argv, outputs="/half")) as h:
        await over(h)
        assert h.output == Failed("the command in the container exited with status 3")
    assert engine.containers() == []


async def test_a_container_that_nobody_needs_is_gone(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """With the files that it was given."""
    script = Var("script", "sleep 4242")

    def pipeline() -> Current[Tree]:
        words = script.get().map(lambda text: ["sh", "-c", text])
        return context.run(base, args=words, inputs={"/in": sources("x")}, outputs="/out")

    async with start(pipeline) as h:
        await until(lambda: engine.processes("sleep 4242"))
        script.set("true")
        await over(h)
        assert isinstance(h.output, Ok)
    assert engine.containers() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": {"../x": TREE}}, "is not a path within a folder"),
        ({"inputs": {"/../x": TREE}}, "is not a path within a folder"),
        ({"inputs": {"/": TREE}}, "is not a path within a folder"),
        ({"inputs": {"/x": "dist"}}, "takes a Tree or a File for '/x'"),
        ({"inputs": {"/x": TREE, "/x/": TREE}}, "has '/x' twice"),
        ({"inputs": {"/x": FILE, "/x/y": TREE}}, "has a file for '/x', and '/x/y' in it"),
        ({"inputs": "dist"}, "takes a dict of trees by their folders"),
        ({"outputs": "../x"}, "is not a pattern of files within a folder"),
        ({"outputs": "/../x"}, "is not a pattern of files within a folder"),
        ({"outputs": "/**"}, "is all of a container: name a folder"),
        ({"outputs": "/*.txt"}, "is all of a container: name a folder"),
        ({"outputs": ["/out/**", "dist"]}, "or ones that begin with a slash, not both"),
        ({"outputs": []}, "takes a pattern, or several, not an empty list"),
        ({"outputs": ["a", 3]}, "a pattern of files is a text"),
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, object], said: str) -> None:
    """Where the pipeline is built, with what to write."""
    image = docker.Image("sha256:" + "a" * 64)
    with pytest.raises(UsageError, match=said):
        docker.Context().run(image, **options)  # type: ignore[call-overload]


def test_keys_are_read_back() -> None:
    """And those from before there were files are as they were."""
    codec = codec_for(RunKey, what="key")
    bare = RunKey("default", "sha256:1", ("a",), ("--x",))
    text = '{"args":["a"],"engine":"default","image":"sha256:1","run_args":["--x"]}'
    assert codec.encode(bare) == text
    files: dict[str, Tree | File] = {"/in": TREE, "x": FILE}
    whole = RunKey("e", "i", (), (), files, ("/out/**",), outputs_required=True)
    for key in (bare, whole):
        assert codec.decode(codec.encode(key)) == key
    assert TREE.digest in codec.encode(whole)
