"""Commands in a real sandbox, made by bubblewrap."""

import json
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pycurrent.cache.codec import codec_for
from pycurrent.engine import Level
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.plugins.command import Sandbox
from pycurrent.plugins.command.bubblewrap import failure_in
from pycurrent.plugins.command.invocation import Invocation
from pycurrent.plugins.command.program import Program
from pycurrent.plugins.command.run import CommandRun
from pycurrent.plugins.command.runner import Runner
from pycurrent.plugins.command.secrets import CommandSecrets
from pycurrent.term import Current, Failed, Ok, Stats, all
from pycurrent.testing import Harness, check_builder

from ..repositories import Repo

pytestmark = pytest.mark.usefixtures("bwrap")

Shell = Callable[..., Current[str]]


@pytest.fixture
def sh(commit: git.Commit) -> Shell:
    """What a line of shell prints in a sandbox."""

    def make(line: str, sandbox: Sandbox | None = None, **env: str) -> Current[str]:
        words = ["sh", "-c", line]
        return command.output(commit, words, sandbox=sandbox or Sandbox(), env=env)

    return make


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server on the machine's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


async def result(current: Current[str], tmp_path: Path) -> object:
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.settle()
        return h.output


async def test_a_command_has_its_checkout_and_what_it_changes_stays_there(
    sh: Shell, repo: Repo, tmp_path: Path
) -> None:
    """Which is the folder that it is run in, at its own path."""
    current = sh("cat a.txt && echo two > a.txt && cat a.txt && pwd")
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        first, folder = h.output.value.splitlines()
        assert (first, Path(folder).name) == ("onetwo", "repo")
        assert (repo.path / "a.txt").read_text() == "one"


@pytest.mark.parametrize("place", ["/usr", "/etc", "/", "/root", "/home", "/var"])
async def test_nothing_else_can_be_written(sh: Shell, tmp_path: Path, place: str) -> None:
    """By whoever: the engine of this test may write to all of these."""
    target = Path(place) / "written-in-a-sandbox"
    output = await result(sh(f"echo x > {target} && echo written || echo refused"), tmp_path)
    assert output == Ok("refused\n")
    assert not target.exists()


async def test_the_files_of_others_are_not_there(sh: Shell, tmp_path: Path) -> None:
    """Neither those of users nor the secrets of the system."""
    (tmp_path / "private").touch()
    paths = [tmp_path / "private", Path.home(), "/etc/shadow", "/etc/ssl/private", "/sys", "/run"]
    line = "; ".join(f"test -e {shlex.quote(str(path))} && echo {path}" for path in paths)
    assert await result(sh(f"{line}; true"), tmp_path) == Ok("")


async def test_temporary_files_and_a_home_of_its_own(sh: Shell, tmp_path: Path) -> None:
    """On the engine's disk, not in the machine's /tmp, and gone with the job."""
    outside = Path("/tmp/seen-by-a-sandbox")
    line = (
        f"test ! -e {outside} && echo x > {outside} && cat /var/tmp/{outside.name} && ls -A ~"
        " && echo y > ~/.settings && echo $HOME"
    )
    assert await result(sh(line), tmp_path) == Ok("x\n/home/sandbox\n")
    assert not outside.exists()
    assert list((tmp_path / "state" / "tmp").iterdir()) == []


async def test_the_environment_is_its_own(
    sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some basics and what is given: what the engine has is not for the command."""
    monkeypatch.setenv("API_TOKEN", "of the engine")
    output = await result(sh("env | cut -d= -f1 | sort", NAME="x", PATH="/usr/bin:/bin"), tmp_path)
    assert output == Ok("HOME\nLANG\nNAME\nPATH\nPWD\n")


async def test_other_processes_are_not_there(sh: Shell, tmp_path: Path) -> None:
    """The first process is that of the sandbox."""
    output = await result(sh("cat /proc/1/comm; hostname"), tmp_path)
    assert output == Ok("bwrap\nlocalhost\n")


async def test_the_network_is_off_unless_asked_for(sh: Shell, server: int, tmp_path: Path) -> None:
    """Even the machine's own servers can't be reached."""
    line = f"bash -c '< /dev/tcp/127.0.0.1/{server}' && echo reached || echo refused"

    def pipeline() -> Current[object]:
        return all([sh(line), sh(line, Sandbox(network=True))])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        results = {
            json.loads(build.key)["sandbox"]["network"]: build.outcome for build in h.history()
        }
    assert results == {False: "refused\n", True: "reached\n"}


async def test_folders_can_be_added(sh: Shell, tmp_path: Path) -> None:
    """To be read, or to be changed, for a cache; one within another, too."""
    tools, cache = tmp_path / "tools", tmp_path / "tools" / "cache"
    cache.mkdir(parents=True)
    (tools / "tool").write_text("#!/bin/sh\necho tool\n")
    (tools / "tool").chmod(0o755)
    line = f"{tools}/tool && echo x > {cache}/entry && ! touch {tools}/new"
    sandbox = Sandbox(read_only=(tools,), writable=(cache,))
    assert await result(sh(line, sandbox), tmp_path) == Ok("tool\n")
    assert (cache / "entry").read_text() == "x\n"


@pytest.mark.parametrize("place", ["/var/tmp", "/dev/shm"])
async def test_the_checkout_may_be_anywhere(commit: git.Commit, place: str) -> None:
    """Within what the sandbox has of its own, too."""
    with tempfile.TemporaryDirectory(dir=place) as state:
        current = command.output(commit, ["cat", "a.txt"], sandbox=Sandbox())
        assert await result(current, Path(state)) == Ok("one")


async def test_git_works_inside(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With submodules: the objects that the checkout shares can be read, and nothing more."""
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    other = Repo.init(tmp_path / "other")
    inner = other.commit("inner", b_txt="two")
    repo.add_submodule(other, "module")
    head = repo.commit("with a submodule")
    line = (
        "git status --porcelain && git log -1 --format=%H && git fsck"
        " && git -C module log -1 --format=%H && git gc --quiet"
        f" && ! touch {repo.path}/.git/objects/x && ! test -e {repo.path}/.git/config"
    )
    commit = git.Local(repo.path).check()
    current = command.output(commit, ["sh", "-c", line], sandbox=Sandbox())
    assert await result(current, tmp_path) == Ok(f"{head}\n{inner}\n")


async def test_output_and_exit_status_are_those_of_the_command(
    commit: git.Commit, tmp_path: Path
) -> None:
    """The failure names the command as it was written; the log says how it was wrapped."""
    words = ["sh", "-c", "echo oh no; exit 3"]
    current = command.run(commit, words, sandbox=Sandbox())
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Failed("sh -c 'echo oh no; exit 3' exited with status 3")
        log = h.log("sh")
        assert "In a sandbox, by: /" in log
        assert "Exec: sh -c 'echo oh no; exit 3'\noh no\n" in log


async def test_a_status_of_1_is_the_commands(commit: git.Commit, tmp_path: Path) -> None:
    """Although bubblewrap uses it, too."""
    current = command.run(commit, ["false"], sandbox=Sandbox())
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Failed("false exited with status 1")


@pytest.mark.parametrize("behind", [True, False], ids=["told late", "told early"])
def test_what_the_job_tells_meanwhile_does_not_hide_why(behind: bool) -> None:
    """It is told when it happens, before or after the last line of the program."""
    said = ["bwrap: execvp frob: No such file or directory"]
    ended = "2026-11-26 09:30.05: Ended 1 process that it left behind: bwrap"
    said.insert(int(behind), ended)
    failure = failure_in("\n".join(["2026-11-26 09:30.05: Exec: frob", *said, ""]), "frob")
    assert str(failure).startswith("can't run frob in the sandbox")
    assert failure_in(f"{ended}\nbad luck\n{ended}\n", "frob") is None


async def test_a_program_that_is_not_there_is_named(commit: git.Commit, tmp_path: Path) -> None:
    """One that the machine has, but the sandbox has not."""
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    current = command.output(commit, [str(program)], sandbox=Sandbox())
    assert await result(current, tmp_path) == Failed(
        f"can't run {program} in the sandbox: No such file or directory; it has the system's "
        "programs, the checkout, and the paths that read_only= and writable= name"
    )


async def test_a_folder_that_is_not_there_is_named(sh: Shell, tmp_path: Path) -> None:
    """Rather than left out."""
    sandbox = Sandbox(read_only=(tmp_path / "none",))
    assert await result(sh("true", sandbox), tmp_path) == Failed(
        "can't create the sandbox: Can't find source path "
        f"{tmp_path / 'none'}: No such file or directory"
    )


async def test_without_bubblewrap_the_job_says_what_to_install(
    commit: git.Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it has begun: nothing was confirmed or checked out."""
    current = command.run(commit, ["true"], sandbox=Sandbox())
    monkeypatch.setenv("PATH", str(tmp_path))
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Failed(
            "the sandbox needs bwrap, which is not on the PATH: install bubblewrap"
        )
        assert "Exec" not in h.log("true")


async def test_a_kernel_that_allows_no_namespaces_is_the_cause(
    sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As bubblewrap says it: it is run where there may be no more of them."""
    shim = tmp_path / "bin" / "bwrap"
    shim.parent.mkdir()
    forbid = f'echo 0 > /proc/sys/user/max_user_namespaces; exec {shutil.which("bwrap")} "$@"'
    shim.write_text(f"#!/bin/sh\nexec unshare -U -r sh -c '{forbid}' bwrap \"$@\"\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent), prepend=":")
    output = await result(sh("true"), tmp_path)
    assert isinstance(output, Failed)
    assert output.message.startswith("can't create the sandbox: Creating new namespace failed")


async def test_cancelling_ends_all_that_is_inside(commit: git.Commit, tmp_path: Path) -> None:
    """What has left its session and its parents, and what ignores signals, too."""
    mark = f"31{tmp_path.stat().st_ino}"
    line = (
        f"trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep {mark}' & "
        f"(setsid sleep {mark} &) ; echo begun; sleep {mark}"
    )
    current = command.run(commit, ["sh", "-c", line], sandbox=Sandbox())
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.until(lambda: h.jobs and len(processes(mark)) >= 4)
        h.find("sh").cancel("enough")
        await h.settle()
        assert h.output == Failed("Cancelled: enough")
        assert processes(mark) == []


async def test_what_is_left_in_the_background_ends_with_the_command(
    commit: git.Commit, tmp_path: Path
) -> None:
    """The job does not wait for it."""
    mark = f"32{tmp_path.stat().st_ino}"
    words = ["sh", "-c", f"setsid sleep {mark} & echo done"]
    current = command.output(commit, words, sandbox=Sandbox())
    assert await result(current, tmp_path) == Ok("done\n")
    assert processes(mark) == []


def processes(mark: str) -> list[int]:
    """Those of the machine that have the mark among their arguments."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "cmdline").read_text().replace("\0", " "):
                found.append(int(place.name))
        except OSError:
            continue
    return found


async def test_a_sandbox_is_part_of_the_key(commit: git.Commit, tmp_path: Path) -> None:
    """With or without, network or none, this or that folder: but not in which order."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()

    def pipeline() -> Current[None]:
        sandboxes = [
            None,
            Sandbox(),
            Sandbox(network=True),
            Sandbox(read_only=(one, two)),
            Sandbox(read_only=(two, one, two)),
            Sandbox(writable=(one, two)),
        ]
        return all([command.run(commit, ["true"], sandbox=sandbox) for sandbox in sandboxes])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.stats == Stats(ok=6)
        assert len(h.history("command-run")) == 5


def test_keys_without_a_sandbox_are_as_they_always_were() -> None:
    """What was run before there were sandboxes is known."""
    codec = codec_for(Invocation, what="key")
    old = Invocation("a" * 40, Program(("make", "test"), {"$A": "b"}))
    text = f'{{"argv":["make","test"],"commit":"{"a" * 40}","env":{{"$$A":"b"}}}}'
    assert codec.encode(old) == text
    assert codec.decode(text) == old
    sandbox = Sandbox(network=True, writable=(Path("/a"),))
    for new in (Program(("make",), {}, sandbox), Program(("make",), {}, None, is_clean=True)):
        assert codec.decode(codec.encode(Invocation("a" * 40, new))) == Invocation("a" * 40, new)


async def test_sandboxed_commands_keep_the_rules(commit: git.Commit, tmp_path: Path) -> None:
    """Those of all operations: of cancelling, restarting, and leaving nothing behind."""
    await check_builder(
        CommandRun(commit, Runner(Limits(Level.AVERAGE), CommandSecrets())),
        Invocation(commit.hash, Program(("true",), {}, Sandbox())),
        others=[Invocation(commit.hash, Program(("true",), {}, Sandbox(network=True)))],
        failing=Invocation(commit.hash, Program(("false",), {}, Sandbox())),
        state_dir=tmp_path / "checks",
    )


@pytest.mark.parametrize("path", [Path("relative"), Path("/a/../b"), Path("/"), "/text"])
def test_what_a_sandbox_can_not_have_is_refused_where_it_is_written(path: Path) -> None:
    """Whatever would name no place, or all of them."""
    with pytest.raises(UsageError, match="sandbox"):
        Sandbox(read_only=(path,))
    with pytest.raises(UsageError, match="both"):
        Sandbox(read_only=(Path("/a"),), writable=(Path("/a"),))


async def test_a_sandbox_that_cant_be_made_is_tried_again(sh: Shell, tmp_path: Path) -> None:
    """By the next engine, as soon as the folder is there that was missing."""
    folder = tmp_path / "cache"
    current = sh("echo made", Sandbox(read_only=(folder,)))
    for expected in (False, True):
        async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
            await h.settle()
            assert isinstance(h.output, Ok) is expected, h.output
            assert [b.ok for b in h.history()][-1] == (True if expected else None)
        folder.mkdir(exist_ok=True)


async def test_the_token_of_the_dashboard_is_out_of_reach(sh: Shell, tmp_path: Path) -> None:
    """A job with the network could use it to approve what waits for a person."""
    state = tmp_path / "state"
    secret = "pyc_0123456789abcdefghijkl"
    state.mkdir()
    (state / "token").write_text(secret)
    looked = f"cat {state}/token 2>&1; ls -A {state} 2>&1; env; cat /proc/*/environ 2>/dev/null"
    found = await result(sh(f"{{ {looked}; }} | tr '\\0' ' '", Sandbox(network=True)), tmp_path)
    assert isinstance(found, Ok)
    assert secret not in found.value
    assert "lock" not in found.value.split()
