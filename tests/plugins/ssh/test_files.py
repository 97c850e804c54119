"""Files that go to a host, and those that come back."""

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pycurrent as current
from pycurrent import (
    Current,
    Failed,
    FailureKind,
    File,
    Job,
    Level,
    Ok,
    Secret,
    Tree,
    UsageError,
    Var,
    builder,
)
from pycurrent.cache.codec import codec_for
from pycurrent.plugins import ssh
from pycurrent.plugins.ssh.remote import RemoteCommand
from pycurrent.testing import Harness

from ..sshd import Sshd
from .processes import break_connections, command_lines, seconds, sleeping
from .waiting import over

Start = Callable[..., Harness]

TREE = Tree("a" * 64, 1, 2)
FILE = File("b" * 64, 3, 0o755)


@pytest.fixture
def there() -> Path:
    """The folder in which the host makes folders for commands."""
    return Path("/tmp")


def left(there: Path) -> list[Path]:
    return list(there.glob(f"pycurrent-ssh-{os.uname().nodename}-*"))


@builder("sources", level=Level.HARMLESS)
async def sources(job: Job, version: str) -> Tree:
    async with job.tempdir() as folder:
        (folder / "ä b\nc").mkdir()
        (folder / "ä b\nc" / "-x 'y' \"z\"").write_text(version)
        (folder / "run").write_text("#!/bin/sh\necho ran\n")
        (folder / "run").chmod(0o751)
        (folder / "link").symlink_to("ä b\nc")
        (folder / "empty").mkdir(mode=0o700)
        (folder / "sealed").mkdir()
        (folder / "sealed" / "a").touch()
        (folder / "sealed").chmod(0o555)
        return await job.save(folder)


@builder("tool", level=Level.HARMLESS)
async def tool(job: Job, text: str) -> File:
    async with job.tempdir() as folder:
        (folder / "x").write_text(text)
        (folder / "x").chmod(0o755)
        return await job.save_file(folder / "x")


@builder("listed", level=Level.HARMLESS)
async def listed(job: Job, tree: Tree) -> list[str]:
    """The paths in a tree, with their permissions, targets and contents."""
    async with job.tempdir() as folder:
        await job.put(tree, folder)
        return [f"{path.relative_to(folder)} {shown(path)}" for path in sorted(folder.rglob("*"))]


def shown(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    mode = f"{stat.S_IMODE(path.stat().st_mode):o}"
    return mode if path.is_dir() else f"{mode} {path.read_text()}"


async def test_all_of_a_tree_comes_back(host: ssh.Host, start: Start, there: Path) -> None:
    """With names of all kinds, permissions, links and empty folders. Equal content runs nothing,
    and nothing stays on the host.
    """
    version = Var("version", "one")

    def pipeline() -> Current[list[str]]:
        made = ssh.run(
            host,
            ["sh", "-ec", "in/run; echo err >&2; mkdir out; cp -a in out/copy; bin/t > out/t; cat"],
            stdin="said",
            inputs={"in": sources(version.get()), "bin/t": tool("#!/bin/sh\necho 7")},
            outputs=["out/**", "none"],
        )
        return listed(made)

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok(
            [
                "out 755",
                "out/copy 755",
                "out/copy/empty 700",
                "out/copy/link -> ä b\nc",
                "out/copy/run 751 #!/bin/sh\necho ran\n",
                "out/copy/sealed 555",
                "out/copy/sealed/a 644 ",
                "out/copy/ä b\nc 755",
                "out/copy/ä b\nc/-x 'y' \"z\" 644 one",
                "out/t 644 7\n",
            ]
        )
        log = h.log("in/run")
        assert "\nran\nerr\nsaid" in log
        assert "matches none" in log
        version.set("two")
        await h.until(lambda: len(h.history("listed")) == 2, timeout=40)
        version.set("one")
        await h.settle()
        assert len(h.history("ssh-files")) == 2
    assert left(there) == []


async def test_a_command_with_a_key_is_given_files(
    host: ssh.Host, start: Start, tmp_path: Path, there: Path
) -> None:
    """In a folder that is gone when it has ended; other files run it again."""
    version = Var("version", "one")
    said = tmp_path / "said"

    def pipeline() -> Current[None]:
        argv = ["sh", "-c", f"pwd >> {said}; cat site/link/* >> {said}; ls >> {said}"]
        return ssh.run(host, argv, key="deploy", inputs={"site": sources(version.get())})

    async with start(pipeline) as h:
        await over(h)
        version.set("two")
        await h.until(lambda: len(h.history("ssh-run")) == 2, timeout=40)
        await over(h)
        assert h.output == Ok(None)
    async with start(pipeline) as h:
        await over(h)
    first, one, second, two = said.read_text().split("\n", 3)
    assert (one, two) == ("onesite", "twosite\n")
    assert not Path(first).exists()
    assert not Path(second).exists()
    assert left(there) == []


async def test_all_of_the_folder_can_be_kept(host: ssh.Host, start: Start) -> None:
    """And nothing of it, which is an empty tree."""

    def pipeline() -> Current[list[list[str]]]:
        argv = ["sh", "-c", "echo a > b"]
        whole = ssh.run(host, argv, outputs="**")
        return current.seq([listed(whole), listed(ssh.run(host, argv, outputs="c/**"))])

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok([["b 644 a\n"], []])


async def test_a_secret_is_on_no_disk_here(
    host: ssh.Host, start: Start, tmp_path: Path, there: Path
) -> None:
    """Nor in the command line, the environment or the log; the command reads it."""
    place = tmp_path / "secret"
    place.write_text("s3cr3t-word")
    argv = ["sh", "-c", f"cat > got; while [ -e {place} ]; do sleep 0.1; done"]

    def pipeline() -> Current[list[str]]:
        secret = Secret.from_file(place)
        made = ssh.run(host, argv, secret=secret, inputs={"in": sources("x")}, outputs="got")
        return listed(made)

    async with start(pipeline) as h:
        await h.until(lambda: any((one / "files/got").exists() for one in left(there)), timeout=40)
        kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert not any(b"s3cr3t-word" in path.read_bytes() for path in kept)
        assert not any("s3cr3t-word" in line for line in command_lines())
        place.unlink()
        await over(h)
        assert h.output == Ok(["got 644 s3cr3t-word"])


async def test_a_command_that_fails_has_no_outputs(
    host: ssh.Host, start: Start, there: Path
) -> None:
    """The failure is that of the command."""
    argv = ["sh", "-c", "echo > half; echo no >&2; exit 3"]
    async with start(lambda: ssh.run(host, argv, outputs="half")) as h:
        await over(h)
        assert h.output == Failed(f"sh on {host} exited with status 3: no")
    assert left(there) == []


@pytest.mark.parametrize(
    ("script", "required", "said"),
    [
        ("true", True, "matches out/**"),
        ("mkdir out; ln -s /etc out/etc", False, "leads out of the folder"),
        ("mkdir out; ln -s ../.. out/up", False, "leads out of the folder"),
        ("mkdir out; mkfifo out/pipe", False, None),
        (r"mkdir out; touch out/$(printf '\377')", False, "not text in UTF-8"),
    ],
)
async def test_outputs_that_can_not_be(
    host: ssh.Host, start: Start, script: str, required: bool, said: str | None
) -> None:
    """A host sends what it likes; what can't be in a tree is refused or left out."""
    argv = ["sh", "-c", script]
    async with start(lambda: ssh.run(host, argv, outputs="out/**", outputs_required=required)) as h:
        await over(h)
        if said is None:
            assert isinstance(h.output, Ok)
            assert "Left out, as they are not files (1): out/pipe" in h.log("mkfifo")
        else:
            assert isinstance(h.output, Failed)
            assert said in h.output.message


async def test_lost_files_are_made_again(host: ssh.Host, start: Start, tmp_path: Path) -> None:
    """Those that a command is given, before it runs; its outputs, at the start."""
    text = Var("text", "1")

    def pipeline() -> Current[Tree]:
        argv = text.get().map(lambda text: ["sh", "-c", f"cp in/run out; echo {text} >> out"])
        return ssh.run(host, argv, inputs={"in": sources("x")}, outputs="out")

    def lose() -> None:
        for path in (tmp_path / "state" / "files" / "objects").rglob("*/*"):
            path.unlink()

    async with start(pipeline) as h:
        await over(h)
        lose()
        text.set("2")
        await h.until(lambda: len(h.history("ssh-files")) == 3, timeout=40)
        await over(h)
        assert isinstance(h.output, Ok)
        assert len(h.history("sources")) == 2
    lose()
    async with start(pipeline) as h:
        await h.until(lambda: len(h.history("ssh-files")) > 3, timeout=40)
        await over(h)
        assert isinstance(h.output, Ok)


async def test_a_command_that_nobody_needs_is_gone(
    host: ssh.Host, start: Start, there: Path
) -> None:
    """With its folder, and all that it has started."""
    number = seconds()
    script = Var("script", f"sleep {number} & sleep {number}; true")

    def pipeline() -> Current[Tree]:
        argv = script.get().map(lambda text: ["sh", "-c", text])
        return ssh.run(host, argv, inputs={"in": sources("x")}, outputs="out")

    async with start(pipeline) as h:
        await h.until(lambda: len(sleeping(number)) == 2, timeout=40)
        script.set("true")
        await h.until(lambda: isinstance(h.output, Ok), timeout=40)
        assert sleeping(number) == []
    assert left(there) == []


async def test_a_folder_that_stayed_is_removed_by_the_next(
    host: ssh.Host, start: Start, there: Path
) -> None:
    """If all was killed at once; those of commands at work stay."""
    number = seconds()

    def pipeline() -> Current[Any]:
        works = ssh.run(host, ["sleep", number], inputs={"in": sources("x")}, outputs="out")
        return current.all([works, ssh.run(host, ["true"], outputs="out")])

    dead = there / f"pycurrent-ssh-{os.uname().nodename}-{1 << 22}-abcdefgh"
    (dead / "files" / "in").mkdir(parents=True)
    (dead / "files").chmod(0o555)
    async with start(pipeline) as h:
        await h.until(lambda: sleeping(number), timeout=40)
        await h.until(lambda: not dead.exists(), timeout=40)
        await h.until(lambda: len(h.history("ssh-files")) == 1, timeout=40)
        assert len(left(there)) == 1
        os.kill(sleeping(number)[0], signal.SIGKILL)
        await over(h)
    assert left(there) == []


async def test_a_lost_connection_is_no_failure_of_the_command(
    own_server: Sshd, to: Callable[..., ssh.Host], start: Start, there: Path
) -> None:
    """Its kind says so, and nothing stays on the host."""
    number = seconds()
    host = to(own_server)
    async with start(lambda: ssh.run(host, ["sleep", number], outputs="out")) as h:
        await h.until(lambda: sleeping(number), timeout=40)
        break_connections(own_server)
        await over(h)
        assert isinstance(h.output, Failed)
        assert h.output.kind is FailureKind.INFRA
        await h.until(lambda: not sleeping(number) and not left(there), timeout=40)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "ssh.run takes key="),
        ({"key": "a", "outputs": "out"}, "takes either key= or outputs="),
        ({"key": "a", "inputs": {"../x": TREE}}, "is not a path within a folder"),
        ({"key": "a", "inputs": {"/x": TREE}}, "is not a path within a folder"),
        ({"key": "a", "inputs": {"x": "dist"}}, "takes a Tree or a File for 'x'"),
        ({"outputs": "x", "inputs": {"x": TREE, "x/": TREE}}, "has 'x' twice"),
        ({"outputs": "x", "inputs": {"x": FILE, "x/y": TREE}}, "has a file for 'x', and 'x/y'"),
        ({"outputs": "/x"}, "is not a pattern of files within a folder"),
        ({"outputs": "../x"}, "is not a pattern of files within a folder"),
        ({"outputs": []}, "takes a pattern, or several, not an empty list"),
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, Any], said: str) -> None:
    """Where the pipeline is built, with what to write."""
    with pytest.raises(UsageError, match=said):
        ssh.run(ssh.Host("web"), ["true"], **options)


def test_records_are_read_back() -> None:
    """And those from before there were files are as they were."""
    codec = codec_for(RemoteCommand, what="value")
    assert codec.encode(RemoteCommand(("a",))) == '{"argv":["a"],"stdin":null}'
    assert codec.encode(RemoteCommand(("a",), b"x")) == '{"argv":["a"],"stdin":{"$bytes":"eA=="}}'
    whole = RemoteCommand(("a",), "x", {"in": TREE, "x": FILE})
    for value in (RemoteCommand(("a",)), RemoteCommand(("a",), b"x"), whole):
        assert codec.decode(codec.encode(value)) == value
    assert TREE.digest in codec.encode(whole)
