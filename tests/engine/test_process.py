"""Commands and their supervisors, with real processes.

Processes are found by a mark in their environment, so that a survivor is seen wherever it has
moved: other sessions, other parents.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pycurrent.engine import supervisor
from pycurrent.engine.not_started import CommandNotStarted
from pycurrent.engine.process import Process, Processes, SupervisorLost
from pycurrent.engine.supervisor import CONTROL, REPORT, Report, Request

from .marks import marked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# Five processes below the shell: three in a session of their own, a daemon forked twice, one plain.
TREE = """
setsid sh -c 'sleep 1000 & sleep 1000; true' &
( setsid sleep 1000 & )
sleep 1000 &
echo ready
wait
"""
TREE_SIZE = 6


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """What the environment of each process of this test contains."""
    value = uuid.uuid4().hex
    monkeypatch.setenv("PROCESS_TEST", value)
    return value


@pytest.fixture(autouse=True)
def _nothing_survives(mark: str) -> Iterator[None]:
    """Whatever a failing test leaves does not live on."""
    yield
    for pid in marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    started = Processes(grace=20.0)  # none of the tests that use it may need the KILL
    yield started
    await started.aclose()


@pytest.fixture
def null() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


class Run:
    """A command whose stdout is read here."""

    def __init__(self, process: Process, output: asyncio.StreamReader) -> None:
        self.process = process
        self.output = output

    @classmethod
    async def start(
        cls,
        processes: Processes,
        *argv: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        reader, writer = os.pipe()
        stdin = os.open(os.devnull, os.O_RDONLY)
        output = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(reader, "rb")
        )
        try:
            process = await processes.start(
                argv, cwd=cwd, env=env, stdin=stdin, stdout=writer, stderr=writer
            )
        except BaseException:
            transport.close()
            raise
        finally:
            os.close(writer)
            os.close(stdin)
        return cls(process, output)

    async def finish(self) -> tuple[int, str]:
        """Exit status and output."""
        status = await self.process.wait()
        return status, (await self.output.read()).decode()


async def run(
    processes: Processes, *argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    return await (await Run.start(processes, *argv, cwd=cwd, env=env)).finish()


async def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Looks until it holds: for changes in /proc, which tells nobody."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.005)


async def start_tree(processes: Processes, mark: str) -> Run:
    tree = await Run.start(processes, "sh", "-c", TREE)
    assert await tree.output.readline() == b"ready\n"
    await until(lambda: len(marked(mark)) >= TREE_SIZE)
    return tree


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def shown(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


def exists(pid: int) -> bool:
    """Whether it lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# --- starting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -15), ("kill -KILL $$", -9)],
)
async def test_the_exit_status_is_that_of_subprocess(
    processes: Processes, script: str, status: int
) -> None:
    """A number that the command chose, or the negative number of the signal that ended it."""
    assert await run(processes, "sh", "-c", script) == (status, "")


async def test_stdin_stdout_and_stderr_are_those_given(processes: Processes) -> None:
    """The command reads and writes the very descriptors of the caller."""
    pipes = [os.pipe() for _ in range(3)]
    (stdin, feed), (out, stdout), (err, stderr) = pipes
    process = await processes.start(
        ["sh", "-c", "cat; echo problem >&2"],
        cwd=None,
        env=None,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    os.write(feed, b"food")
    os.close(feed)
    assert await process.wait() == 0
    with os.fdopen(out, "rb") as output, os.fdopen(err, "rb") as errors:
        assert (output.read(), errors.read()) == (b"food", b"problem\n")


async def test_environment_and_directory_are_those_given(
    processes: Processes, tmp_path: Path
) -> None:
    """The command has the variables given and no others, and works in the directory given."""
    env = {"PATH": os.environ["PATH"], "GREETING": "grüß=dich"}
    status, output = await run(processes, "env", cwd=tmp_path, env=env)
    assert status == 0
    assert dict(line.split("=", 1) for line in output.splitlines()) == env
    assert await run(processes, "pwd", "-P", cwd=tmp_path, env=env) == (0, f"{tmp_path}\n")


async def test_without_environment_and_directory_it_has_the_engines_of_this_moment(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those at the time when the helper was started."""
    await run(processes, "true")
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATE", "yes")
    script = 'echo "$LATE"; pwd -P'
    assert await run(processes, "sh", "-c", script) == (0, f"yes\n{tmp_path}\n")
    inner = await run(processes, "sh", "-c", script, cwd=Path("inner"))
    assert inner == (0, f"yes\n{tmp_path / 'inner'}\n")


async def test_the_command_is_looked_up_on_its_own_path(
    processes: Processes, tmp_path: Path
) -> None:
    """The PATH of the command's environment counts, not the engine's."""
    (tmp_path / "frob").write_text("#!/bin/sh\necho frobbed\n")
    (tmp_path / "frob").chmod(0o755)
    env = {"PATH": f"/nowhere:{tmp_path}"}
    assert await run(processes, "frob", env=env) == (0, "frobbed\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["no-such-frob"], "can't start 'no-such-frob': there is no such command on the PATH"),
        (
            ["ls | wc -l"],
            "can't start 'ls | wc -l': there is no such command: a command is a list of its words, "
            'and for a shell ["sh", "-c", "ls | wc -l"]',
        ),
        (["./nope"], "can't start './nope': no such file or directory"),
        (["./lost"], "can't start './lost': the interpreter that its first line names does not"),
        (["./text"], "can't start './text': permission denied"),
        (["./odd"], "can't start './odd': this system can't run the file"),
        (["./text/frob"], "can't start './text/frob': not a directory"),
        (["true", "x" * 3_000_000], "can't start 'true': its arguments and environment are longer"),
        (["true", "a\0b"], "can't start 'true': an argument, a variable or the directory contains"),
        ([""], "can't start a command without a name"),
        ([], "can't start a command without a name"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
async def test_what_cant_be_started_is_told_in_one_line(
    processes: Processes, tmp_path: Path, argv: list[str], message: str
) -> None:
    """The message names the command and the cause, and nothing runs on."""
    (tmp_path / "text").write_text("not executable")
    (tmp_path / "odd").write_bytes(b"\x01\x02\x03")
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    for name in ("odd", "lost"):
        (tmp_path / name).chmod(0o755)
    with pytest.raises(CommandNotStarted) as raised:
        await run(processes, *argv, cwd=tmp_path)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200
    assert processes.running == 0


async def test_a_missing_working_directory_is_named(processes: Processes, tmp_path: Path) -> None:
    """It is told apart from a missing command."""
    with pytest.raises(CommandNotStarted, match=r"working directory '.*gone': no such file"):
        await run(processes, "true", cwd=tmp_path / "gone")


async def test_a_variable_that_no_environment_can_hold_is_refused(processes: Processes) -> None:
    """A name with `=` would arrive as another variable."""
    with pytest.raises(CommandNotStarted, match="name of a variable"):
        await run(processes, "true", env={"A=B": "c"})


async def test_arguments_and_environment_up_to_the_systems_limits(processes: Processes) -> None:
    """Far more than fits into a socket's buffer arrives whole."""
    words = ["x" * 100_000] * 8
    env = {"PATH": os.environ["PATH"], **{f"V{n}": "y" * 100_000 for n in range(8)}}
    script = "echo $# ${#1} ${#8} ${#V0} ${#V7}"
    expected = (0, "8 100000 100000 100000 100000\n")
    assert await run(processes, "sh", "-c", script, "sh", *words, env=env) == expected


async def test_a_command_has_no_descriptors_but_three(processes: Processes, null: int) -> None:
    """Neither the engine's, inheritable ones too, nor those of helper and supervisors."""
    os.set_inheritable(null, True)
    sibling = await Run.start(processes, "sleep", "1000")
    status, output = await run(processes, "ls", "/proc/self/fd")
    assert (status, output.split()) == (0, ["0", "1", "2", "3"])  # 3: the directory it lists
    sibling.process.cancel()
    await sibling.process.wait()


async def test_a_command_has_default_signals_and_the_engines_umask(null: int) -> None:
    """Nothing is ignored or blocked, although Python and the supervisor ignore some."""
    before = os.umask(0o027)
    processes = Processes()
    try:
        status, output = await run(
            processes, "grep", "-E", "SigBlk|SigIgn|Umask", "/proc/self/status"
        )
    finally:
        os.umask(before)
        await processes.aclose()
    fields = dict(line.split(":\t") for line in output.splitlines())
    assert (status, fields["Umask"]) == (0, "0027")
    # The signals from 32 on are the C library's and a program's own: nobody here touches them.
    assert int(fields["SigBlk"], 16) & 0x7FFFFFFF == 0
    assert int(fields["SigIgn"], 16) & 0x7FFFFFFF == 0


async def test_nothing_of_a_command_shows_at_helper_and_supervisor(
    processes: Processes, mark: str
) -> None:
    """Arguments and environment may be secret: `ps` shows them at the command only."""
    await run(processes, "true")
    secret = uuid.uuid4().hex
    env = {"PATH": os.environ["PATH"], "TOKEN": secret}
    script = "echo ready; sleep 1000"
    sleeper = await Run.start(processes, "sh", "-c", script, secret, env=env)
    assert await sleeper.output.readline() == b"ready\n"
    over = parent_of(sleeper.process.pid)
    for pid in (over, parent_of(over)):
        seen = shown(pid, "cmdline") + shown(pid, "environ")
        assert b"supervisor.py" in seen
        assert secret.encode() not in seen
        assert mark.encode() not in seen
    sleeper.process.cancel()
    await sleeper.process.wait()


# --- programs of ours -------------------------------------------------------------------------


PROGRAM = """
import json, os, signal, sys
loaded = os.getpid()
def main():
    masks = [line.split()[1] for line in open("/proc/self/status") if line.startswith("SigIgn")]
    at = {"cwd": os.getcwd(), "env": dict(os.environ), "given": sys.stdin.read()}
    open_ones = sorted(map(int, os.listdir("/proc/self/fd")))[:-1]
    print(json.dumps({**at, "ignores": masks, "open": open_ones, "loaded": loaded}), flush=True)
    if "WAITS" in os.environ:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        signal.pause()
    if "FAILS" in os.environ:
        raise ValueError(os.environ["FAILS"])
"""


@pytest.fixture
def program(tmp_path: Path) -> tuple[str, str]:
    """The words of a program that tells what it finds, and may wait or fail."""
    name = f"program_{uuid.uuid4().hex}.py"
    (tmp_path / name).write_text(PROGRAM)
    return os.fsdecode(supervisor.PROGRAM), str(tmp_path / name)


async def test_a_program_is_called_as_it_would_be_executed(
    processes: Processes, tmp_path: Path, program: tuple[str, str]
) -> None:
    """In its directory, with its environment and its descriptors alone, and all signals as usual.
    A supervisor imports it once.
    """
    await run(processes, "true")
    told = []
    for number in range(2):
        env = {"NUMBER": str(number)}
        status, output = await run(processes, *program, cwd=tmp_path, env=env)
        assert status == 0, output
        told.append(json.loads(output))
        assert (told[-1]["cwd"], told[-1]["env"]) == (str(tmp_path), env)
        assert (told[-1]["given"], told[-1]["open"]) == ("", [0, 1, 2])
        assert int(told[-1]["ignores"][0], 16) & 0x7FFFFFFF == 0
    assert told[0]["loaded"] == told[1]["loaded"]


async def test_a_program_that_fails_says_why(
    processes: Processes, program: tuple[str, str]
) -> None:
    """As an interpreter has it."""
    status, output = await run(processes, *program, env={"FAILS": "an odd value"})
    assert status == 1
    assert output.endswith("ValueError: an odd value\n")
    missing = (program[0], "/nowhere/program.py")
    with pytest.raises(CommandNotStarted):
        await run(processes, *missing)


async def test_a_program_is_told_to_end_as_a_command_is(
    processes: Processes, program: tuple[str, str]
) -> None:
    started = await Run.start(processes, *program, env={"WAITS": "yes"})
    assert json.loads(await started.output.readline())["given"] == ""
    started.process.cancel()
    assert await started.process.wait() == 7


async def test_a_program_is_no_supervisor_to_the_guard(mark: str, program: tuple[str, str]) -> None:
    """It is a fork of one, but ends as commands do when both helper and supervisor are killed."""
    processes = Processes(grace=20.0)
    try:
        started = await Run.start(processes, *program, env={"WAITS": "yes"})
        await started.output.readline()
        pid = started.process.pid
        over = parent_of(pid)
        for victim in (helper_of(os.getpid()), over):
            os.kill(victim, signal.SIGKILL)
        await until(lambda: not exists(pid), seconds=5)
        with pytest.raises(SupervisorLost):
            await started.process.wait()
    finally:
        await processes.aclose()


# --- ending -----------------------------------------------------------------------------------


async def test_a_cancelled_command_leaves_no_process(processes: Processes, mark: str) -> None:
    """Other sessions and daemons included, by TERM alone."""
    tree = await start_tree(processes, mark)
    tree.process.cancel()
    tree.process.cancel()
    assert await tree.process.wait() == -signal.SIGTERM
    assert marked(mark) == []
    assert processes.running == 0
    tree.process.cancel()


async def test_what_ignores_term_is_killed_after_the_grace_period(mark: str) -> None:
    """The whole tree, and not before the grace period has passed."""
    processes = Processes(grace=0.2)
    script = "trap '' TERM; setsid sleep 1000 & echo ready; wait"
    stubborn = await Run.start(processes, "sh", "-c", script)
    assert await stubborn.output.readline() == b"ready\n"
    await until(lambda: len(marked(mark)) >= 2)
    begin = time.monotonic()
    stubborn.process.cancel()
    assert await stubborn.process.wait() == -signal.SIGKILL
    assert time.monotonic() - begin >= 0.2
    assert marked(mark) == []
    await processes.aclose()


async def test_a_cancelled_command_may_clean_up(processes: Processes) -> None:
    """What a shell's trap starts is not told to end itself."""
    # A child that gets the signal before it is a sleep would lose it in its copy of the trap.
    script = "sleep 1000 & trap 'sleep 0.1 && echo cleaned; exit 3' TERM; echo ready; wait"
    careful = await Run.start(processes, "sh", "-c", script)
    assert await careful.output.readline() == b"ready\n"
    careful.process.cancel()
    assert await careful.finish() == (3, "cleaned\n")


async def test_a_stopped_command_is_ended_by_term(processes: Processes) -> None:
    """It is made to go on, so that it does not wait for the KILL."""
    stopped = await Run.start(processes, "sh", "-c", "kill -STOP $$; sleep 1000")
    pid = stopped.process.pid
    await until(lambda: ") T " in Path(f"/proc/{pid}/stat").read_text())
    stopped.process.cancel()
    assert await stopped.process.wait() == -signal.SIGTERM


async def test_what_a_command_leaves_behind_is_ended_before_it_counts_as_ended(
    processes: Processes, mark: str
) -> None:
    """A daemon of a command that exited by itself does not live on; the status stays."""
    script = "( setsid sleep 1000 & ); ( trap '' TERM; setsid sleep 1000 & ); exit 4"
    assert await run(processes, "sh", "-c", script) == (4, "")
    assert marked(mark) == []


async def test_several_may_wait_and_stop_waiting(processes: Processes) -> None:
    """All get the status, later ones too; one that gives up does not disturb the command."""
    sleeper = await Run.start(processes, "sleep", "1000")
    waiting = [asyncio.create_task(sleeper.process.wait()) for _ in range(3)]
    impatient = asyncio.create_task(sleeper.process.wait())
    await asyncio.wait([impatient], timeout=0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert exists(sleeper.process.pid)
    sleeper.process.cancel()
    assert await asyncio.gather(*waiting) == [-15, -15, -15]
    assert await sleeper.process.wait() == -15


async def test_a_start_that_is_cancelled_leaves_no_process(
    processes: Processes, mark: str, null: int
) -> None:
    """At whichever point of the start the cancellation comes."""
    await run(processes, "true")
    for point in range(12):
        starting = asyncio.create_task(
            processes.start(
                ["sh", "-c", TREE], cwd=None, env=None, stdin=null, stdout=null, stderr=null
            )
        )
        await asyncio.wait([starting], timeout=point * 0.0005)
        if starting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await starting
        else:
            process = await starting
            process.cancel()
            await process.wait()
        assert processes.running == 0
        assert marked(mark) == []


async def test_closing_ends_all_commands_and_the_helper(mark: str) -> None:
    """Nothing is left, closing again does nothing, and nothing can be started any more."""
    processes = Processes()
    trees = [await start_tree(processes, mark) for _ in range(2)]
    over = parent_of(trees[0].process.pid)
    helper = parent_of(over)
    assert processes.running == 2
    await asyncio.gather(processes.aclose(), processes.aclose())
    await processes.aclose()
    assert [await tree.process.wait() for tree in trees] == [-15, -15]
    assert marked(mark) == []
    assert not exists(helper)
    assert processes.running == 0
    with pytest.raises(CommandNotStarted, match="the engine is being closed"):
        await run(processes, "true")


async def test_closing_what_never_ran_does_nothing() -> None:
    """The helper is started by the first command only."""
    children = supervisor.children_of(os.getpid())
    processes = Processes()
    await processes.aclose()
    assert supervisor.children_of(os.getpid()) == children


# --- deaths -----------------------------------------------------------------------------------

ENGINE = """
import asyncio, os, sys, time
from pycurrent.engine.process import Processes

async def main():
    processes = Processes(grace=0.5)
    null = os.open(os.devnull, os.O_RDWR)
    argv = ["sh", "-c", sys.argv[1]]
    await processes.start(argv, cwd=None, env=None, stdin=null, stdout=1, stderr=2)
    if sys.argv[2] == "forks" and os.fork() == 0:
        time.sleep(1000)  # like a worker of multiprocessing: it has a copy of all descriptors
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.contextmanager
def engine(habit: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """An engine in a process of its own, which runs a tree."""
    process = subprocess.Popen([sys.executable, "-c", ENGINE, TREE, habit], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def guards_of(engine: int) -> list[int]:
    """The guards of its helpers. Whom it started last comes last."""
    return [
        pid
        for pid in supervisor.children_of(engine)
        if b"supervisor.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def helper_of(engine: int) -> int:
    (helper,) = supervisor.children_of(guards_of(engine)[-1])
    return helper


async def test_an_engine_that_is_killed_leaves_no_process(mark: str) -> None:
    """SIGKILL gives it no chance to do anything about it: not the tree, not the helper."""
    with engine() as victim:
        await until(lambda: len(marked(mark)) >= TREE_SIZE + 1)
        helper = helper_of(victim.pid)
        over = [*guards_of(victim.pid), helper, *supervisor.children_of(helper)]
        victim.kill()
        await until(lambda: marked(mark) == [], seconds=2)
        await until(lambda: not any(map(exists, over)), seconds=2)


async def test_a_copy_of_the_engine_does_not_keep_commands_alive(mark: str) -> None:
    """A process forked from the engine holds its sockets open, but it is not the engine."""
    with engine("forks") as victim:
        await until(lambda: len(marked(mark)) >= TREE_SIZE + 2)
        (copy,) = [pid for pid in marked(mark) if parent_of(pid) == victim.pid]
        victim.kill()
        await until(lambda: marked(mark) == [copy], seconds=2)


async def test_an_engine_killed_after_its_helper_leaves_no_process(mark: str) -> None:
    """Supervisors do not need the helper."""
    with engine() as victim:
        await until(lambda: len(marked(mark)) >= TREE_SIZE + 1)
        os.kill(helper_of(victim.pid), signal.SIGKILL)
        victim.kill()
        await until(lambda: marked(mark) == [], seconds=2)


async def test_commands_outlive_their_helper_and_the_next_one_gets_a_new_helper(
    processes: Processes, mark: str
) -> None:
    """A killed helper is not noticed, not even by a command that is started in that moment."""
    tree = await start_tree(processes, mark)
    helper = helper_of(os.getpid())
    os.kill(helper, signal.SIGKILL)
    assert await run(processes, "echo", "on") == (0, "on\n")
    assert helper_of(os.getpid()) != helper
    await until(lambda: len(marked(mark)) == TREE_SIZE)  # passing subshells may be among them
    tree.process.cancel()
    assert await tree.process.wait() == -signal.SIGTERM
    assert marked(mark) == []


async def test_a_command_whose_supervisor_is_killed_is_an_error_and_dies(
    processes: Processes, mark: str
) -> None:
    """The engine can't know how it ended; the helper ends what is left."""
    tree = await start_tree(processes, mark)
    os.kill(parent_of(tree.process.pid), signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(SupervisorLost, match=r"how 'sh' .* ended is not known"):
            await tree.process.wait()
    assert processes.running == 0
    await until(lambda: marked(mark) == [], seconds=2)
    assert await run(processes, "echo", "on") == (0, "on\n")


async def test_a_command_whose_helper_and_supervisor_are_killed_dies(mark: str) -> None:
    """The guard ends all of it, though the engine is killed, too."""
    with engine() as victim:
        await until(lambda: len(marked(mark)) >= TREE_SIZE + 1)
        (guard,) = guards_of(victim.pid)
        helper = helper_of(victim.pid)
        over = supervisor.children_of(helper)
        for pid in (helper, *over, victim.pid):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: marked(mark) == [], seconds=3)
        await until(lambda: not exists(guard), seconds=3)


async def test_a_guard_lets_the_commands_of_a_killed_helper_end(
    processes: Processes, mark: str
) -> None:
    """It ends only what loses its supervisor, and goes when nothing is left to guard."""
    trees = [await start_tree(processes, mark) for _ in range(2)]
    (guard,) = guards_of(os.getpid())
    os.kill(helper_of(os.getpid()), signal.SIGKILL)
    os.kill(parent_of(trees[0].process.pid), signal.SIGKILL)
    with pytest.raises(SupervisorLost):
        await trees[0].process.wait()
    await until(lambda: len(marked(mark)) == TREE_SIZE, seconds=3)
    assert exists(guard)
    trees[1].process.cancel()
    assert await trees[1].process.wait() == -signal.SIGTERM
    await until(lambda: not exists(guard), seconds=3)


async def test_a_killed_guard_is_not_missed(processes: Processes) -> None:
    """Its helper goes on."""
    assert await run(processes, "echo", "on") == (0, "on\n")
    helper = helper_of(os.getpid())
    (guard,) = guards_of(os.getpid())
    os.kill(guard, signal.SIGKILL)
    await until(lambda: not exists(guard))
    assert await run(processes, "echo", "on") == (0, "on\n")
    assert exists(helper)


async def test_a_guard_has_a_name_of_its_own(processes: Processes) -> None:
    """Killing all Pythons by name does not kill it together with those that it guards."""
    await run(processes, "true")
    (guard,) = guards_of(os.getpid())
    await until(lambda: supervisor.name_of(guard) == b"pycurrent-guard")


async def test_helper_and_supervisors_do_not_go_when_everybody_is_told_to(
    processes: Processes,
) -> None:
    """TERM to all, as at the end of a service, leaves the ending of commands to the engine."""
    sleeper = await Run.start(processes, "sleep", "1000")
    over = parent_of(sleeper.process.pid)
    for pid in (over, parent_of(over), *guards_of(os.getpid())):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pid, number)
    assert await run(processes, "echo", "on") == (0, "on\n")
    assert exists(sleeper.process.pid)
    sleeper.process.cancel()
    assert await sleeper.process.wait() == -signal.SIGTERM


# --- supervisors that are used again -----------------------------------------------------------


async def supervisor_of_next(processes: Processes) -> int:
    """The pid of the supervisor that is given the next command."""
    status, output = await run(processes, "sh", "-c", "echo $PPID")
    assert status == 0
    return int(output)


async def test_a_supervisor_is_given_one_command_after_the_other(
    processes: Processes, tmp_path: Path
) -> None:
    """Each with a folder, an environment and an output of its own."""
    first = await supervisor_of_next(processes)
    environ = {"PATH": os.defpath, "WORD": "other"}
    script = "echo $PPID $WORD; pwd; exit 3"
    other = await run(processes, "sh", "-c", script, cwd=tmp_path, env=environ)
    assert other == (3, f"{first} other\n{tmp_path}\n")
    assert await run(processes, "sh", "-c", "echo $PPID $WORD; pwd") == (
        0,
        f"{first}\n{Path.cwd()}\n",
    )


async def test_a_supervisor_guards_each_of_its_commands(processes: Processes, mark: str) -> None:
    """The whole tree of a later command is ended, too, and the next one has another supervisor."""
    first = await supervisor_of_next(processes)
    tree = await start_tree(processes, mark)
    assert parent_of(tree.process.pid) == first
    tree.process.cancel()
    assert await tree.process.wait() == -signal.SIGTERM
    assert marked(mark) == []
    assert await supervisor_of_next(processes) != first


async def test_cancelling_a_command_that_has_ended_leaves_the_next_one_alone(
    processes: Processes,
) -> None:
    """Though both have the same supervisor."""
    ended = await Run.start(processes, "true")
    assert await ended.finish() == (0, "")
    sleeper = await Run.start(processes, "sh", "-c", "echo ready; sleep 0.2; exit 5")
    assert await sleeper.output.readline() == b"ready\n"
    ended.process.cancel()
    assert await sleeper.process.wait() == 5


async def test_a_supervisor_that_is_killed_while_it_waits_is_not_missed(
    processes: Processes,
) -> None:
    """The next command gets another one, even if that is started in the same moment."""
    first = await supervisor_of_next(processes)
    os.kill(first, signal.SIGKILL)
    assert await supervisor_of_next(processes) != first


async def test_supervisors_that_are_not_needed_go(null: int) -> None:
    """Of many at once, a few stay for a while."""
    processes = Processes(idle=0.1)

    async def start() -> Process:
        return await processes.start(
            ["cat"], cwd=None, env=None, stdin=reader, stdout=null, stderr=null
        )

    reader, writer = os.pipe()
    started = await asyncio.gather(*(start() for _ in range(12)))
    supervisors = {parent_of(process.pid) for process in started}
    os.close(writer)
    os.close(reader)
    for process in started:
        await process.wait()
    await until(lambda: not any(map(exists, supervisors)))
    await processes.aclose()


async def test_closing_ends_the_supervisors_that_wait() -> None:
    """And the helper, which has nothing to wait for then."""
    processes = Processes()
    first = await supervisor_of_next(processes)
    await processes.aclose()
    assert not exists(first)


async def test_a_lock_is_free_when_its_command_has_ended(
    processes: Processes, null: int, tmp_path: Path
) -> None:
    """The supervisor that waits for the next command holds it no longer."""
    for _ in range(2):
        lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process = await processes.start(
            ["true"], cwd=None, env=None, stdin=null, stdout=null, stderr=null, locks=[lock]
        )
        os.close(lock)
        await process.wait()


# --- many -------------------------------------------------------------------------------------


async def test_no_descriptor_is_left_open(processes: Processes, null: int, tmp_path: Path) -> None:
    """Whether commands end, fail to start, or are cancelled: neither here nor in the helper."""

    async def once() -> None:
        for cwd in (None, tmp_path / "gone"):
            with contextlib.suppress(CommandNotStarted):
                process = await processes.start(
                    ["sleep", "1000"], cwd=cwd, env=None, stdin=null, stdout=null, stderr=null
                )
                process.cancel()
                await process.wait()

    def descriptors() -> int:
        both = (Path(f"/proc/{pid}/fd") for pid in (os.getpid(), helper_of(os.getpid())))
        return sum(len(list(one.iterdir())) for one in both)

    await once()
    before = descriptors()
    for _ in range(10):
        await once()
    await until(lambda: descriptors() <= before)  # the helper closes its copies in its own time


async def test_a_thousand_commands_at_once(processes: Processes, null: int) -> None:
    """They all run, and all run at the same time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2_000:
        pytest.skip("the system does not allow for so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_000), hard))
    reader, writer = os.pipe()
    try:
        started = await asyncio.gather(
            *(
                processes.start(["cat"], cwd=None, env=None, stdin=reader, stdout=null, stderr=null)
                for _ in range(1_000)
            )
        )
        assert processes.running == 1_000
        os.close(writer)  # end of file for all
        assert await asyncio.gather(*(one.wait() for one in started)) == [0] * 1_000
        assert processes.running == 0
    finally:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- without subreapers -----------------------------------------------------------------------

HELPER_WITHOUT_PRCTL = """
import socket, sys
from pycurrent.engine.supervisor import Helper
Helper(socket.socket(fileno=int(sys.argv[1])), -1, None).run()
"""


def test_where_there_are_no_subreapers_the_process_group_is_ended(mark: str, null: int) -> None:
    """As on macOS: what stays in the group of the command goes with it."""
    control, theirs = socket.socketpair()
    helper = subprocess.Popen(
        [sys.executable, "-c", HELPER_WITHOUT_PRCTL, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env={},
    )
    theirs.close()
    line, far = socket.socketpair()
    reader, writer = os.pipe()
    with control, line, os.fdopen(reader, "rb") as output:
        socket.send_fds(control, [CONTROL.pack(0, 0)], [far.fileno(), null, writer, null])
        far.close()
        os.close(writer)
        argv = [b"sh", b"-c", b"trap '' TERM; sh -c 'echo ready; sleep 1000' & exit 5"]
        environ = {b"PATH": os.fsencode(os.defpath), b"PROCESS_TEST": mark.encode()}
        request = Request(b"/", argv, environ, 0.1).encode()
        assert request is not None
        line.sendall(request)
        assert output.readline() == b"ready\n"
        reports = b"".join(line.recv(REPORT.size, socket.MSG_WAITALL) for _ in range(3))
        assert marked(mark) == []
    heard = [(Report(kind), first) for kind, first, _ in struct.iter_unpack(REPORT.format, reports)]
    assert [kind for kind, _ in heard] == [Report.STARTED, Report.USED, Report.EXITED]
    assert heard[-1] == (Report.EXITED, 5)
    assert helper.wait() == 0


async def test_reports_of_a_later_version_are_passed_over() -> None:
    """An engine may find the supervisor of one that was newer."""
    processes = Processes()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    process = processes.attach(ours, "a command", lambda report: None)
    with theirs:
        theirs.sendall(REPORT.pack(Report.STARTED, 0, 0) + REPORT.pack(200, 1, 1))
        theirs.sendall(REPORT.pack(Report.EXITED, 7, 0))
        assert await process.wait() == 7
    await processes.aclose()
