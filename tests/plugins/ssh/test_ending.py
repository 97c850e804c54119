"""Commands on a host end with what needs them here."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from pycurrent import Failed, Ok, Var
from pycurrent.plugins import ssh
from pycurrent.plugins.ssh.lifeline import THERE, Marks, sent
from pycurrent.testing import Harness

from ...debian import PACKAGES, MissingPart, have, missing
from ..sshd import Sshd
from .processes import clients, held_up, seconds, server_pid, sessions, sleeping
from .waiting import over

Start = Callable[..., Harness]

# A child, one in a session of its own, one without the mark, and one that doesn't heed TERM.
STUBBORN = """
sleep {n} & setsid sleep {n} & env -i sleep {n} &
setsid sh -c 'trap "" TERM; sleep {n}; :' &
wait
"""


@pytest.mark.parametrize("stdin", ["", "not read" * 100_000])
async def test_a_cancel_ends_the_command_with_all_that_it_has_started(
    host: ssh.Host, start: Start, stdin: str
) -> None:
    """When the job has ended, nothing is left over there; whether it has read its input or not."""
    number = seconds()
    argv = ["sh", "-c", STUBBORN.format(n=number)]
    async with start(lambda: ssh.run(host, argv, key="try", stdin=stdin)) as h:
        await h.until(lambda: len(sleeping(number)) == 4, timeout=20)
        h.find("try").cancel("enough")
        await over(h)
        assert h.output == Failed("Cancelled: enough")
        assert sleeping(number) == []


async def test_a_cancelled_command_may_clean_up(
    host: ssh.Host, start: Start, tmp_path: Path
) -> None:
    """It is asked to end first."""
    file, number = tmp_path / "said", seconds()
    script = f"trap 'kill %1; sleep 0.5; echo bye > {file}; exit' TERM; sleep {number} & wait"
    async with start(lambda: ssh.run(host, ["bash", "-c", script], key="try")) as h:
        await h.until(lambda: sleeping(number), timeout=20)
        h.find("try").cancel("enough")
        await over(h)
        assert file.read_text() == "bye\n"


async def test_a_timeout_ends_the_command(host: ssh.Host, start: Start) -> None:
    """The failure says that it was the time."""
    number = seconds()
    async with start(lambda: ssh.run(host, ["sleep", number], key="try", timeout=60)) as h:
        await h.until(lambda: sleeping(number), timeout=20)
        h.clock.move(timedelta(minutes=2))
        await over(h)
        assert h.output == Failed("Timed out after 1 min")
        assert sleeping(number) == []


async def test_a_running_command_is_ended_before_it_is_run_anew(
    host: ssh.Host, start: Start, tmp_path: Path
) -> None:
    """A deployment is not broken off in the middle: the new one comes after it."""
    said = tmp_path / "said"
    for name in ("one", "two"):
        os.mkfifo(tmp_path / name)
    word = Var("word", "one")

    def argv(word: str) -> list[str]:
        script = 'echo "$1 begins" >> said; cat "$1"; echo "$1 ends" >> said'
        return ["sh", "-c", f"cd {tmp_path}; {script}", "sh", word]

    async with start(lambda: ssh.run(host, word.get().map(argv), key="deploy")) as h:
        await h.until(said.exists, timeout=20)
        word.set("two")
        for name in ("one", "two"):
            await h.until(partial(_opened, tmp_path / name), timeout=20)
        await h.until(lambda: "two ends" in said.read_text(), timeout=20)
        await over(h)
        assert h.output == Ok(None)
    assert said.read_text() == "one begins\none ends\ntwo begins\ntwo ends\n"


def _opened(gate: Path) -> bool:
    """Let one reader go on, if there is one."""
    try:
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


async def test_an_output_that_nobody_needs_is_not_waited_for(host: ssh.Host, start: Start) -> None:
    """The command for the old arguments is ended."""
    first = seconds()
    argv = Var("argv", ["sleep", first])
    async with start(lambda: ssh.output(host, argv.get())) as h:
        await h.until(lambda: sleeping(first), timeout=20)
        argv.set(["echo", "new"])
        await over(h)
        assert h.output == Ok("new\n")
        await h.until(lambda: not sleeping(first), timeout=20)


async def test_nothing_is_begun_after_a_cancel(
    own_server: Sshd, to: Callable[..., ssh.Host], start: Start, tmp_path: Path
) -> None:
    """Not even if the connection comes about while the client is being ended."""
    host, file = to(own_server), tmp_path / "begun"
    with held_up(server_pid(own_server)):
        async with start(lambda: ssh.run(host, ["touch", str(file)], key="try")) as h:
            await h.until(lambda: clients(host.port), timeout=20)
            h.find("try").cancel("enough")
            os.kill(server_pid(own_server), signal.SIGCONT)
            await over(h)
            assert h.output == Failed("Cancelled: enough")
            await h.until(lambda: not sessions(own_server), timeout=20)
    assert not file.exists()


PIPELINE = """
import asyncio, sys
from pathlib import Path
from pycurrent import Engine
from pycurrent.plugins import ssh
name, user, port, identity, known, state, number = sys.argv[1:]
host = ssh.Host(name, user, int(port), Path(identity), Path(known))
argv = ["sh", "-c", f"setsid sleep {number} & sleep {number}"]
asyncio.run(Engine(lambda: ssh.run(host, argv, key="try"), state_dir=state).run())
"""


async def test_an_engine_that_is_killed_takes_the_command_with_it(
    host: ssh.Host, start: Start, tmp_path: Path
) -> None:
    """Over there; and the next engine runs it again."""
    number = seconds()
    way = (host.name, host.user, host.port, host.identity, host.known_hosts)
    words = [str(word) for word in (*way, tmp_path / "state", number)]
    engine = await asyncio.create_subprocess_exec(sys.executable, "-c", PIPELINE, *words)
    async with Harness(lambda: ssh.run(host, ["true"], key="x"), state_dir=tmp_path / "b") as h:
        await h.until(lambda: len(sleeping(number)) == 2, timeout=30)
        engine.send_signal(signal.SIGKILL)
        await engine.wait()
        await h.until(lambda: not sleeping(number), timeout=30)
    argv = ["sh", "-c", f"setsid sleep {number} & sleep {number}"]
    async with start(lambda: ssh.run(host, argv, key="try")) as h:
        await h.until(lambda: len(sleeping(number)) == 2, timeout=30)


async def test_a_host_that_hangs_does_not_hold_up_a_cancel(
    own_server: Sshd, to: Callable[..., ssh.Host], start: Start
) -> None:
    """After some seconds it is no longer waited for; what it runs ends when it goes on."""
    host, number = to(own_server), seconds()
    async with start(lambda: ssh.run(host, ["sleep", number], key="try")) as h:
        await h.until(lambda: sleeping(number), timeout=20)
        with held_up(*sessions(own_server)):
            h.find("try").cancel("enough")
            await over(h)
            assert h.output == Failed("Cancelled: enough")
            assert sleeping(number) != []
        await h.until(lambda: not sleeping(number), timeout=20)


@pytest.mark.parametrize("shell", ["dash", "bash", "bash --posix", "busybox sh"])
@pytest.mark.parametrize(
    ("argv", "stdin", "status", "out"),
    [
        (["printf", "%s|", "a b", "x\ny", "'", "$HOME"], b"", 0, b"a b|x\ny|'|$HOME|"),
        (["sh", "-c", "cat; exit 255"], b"\0\xff\n", 255, b"\0\xff\n"),
        (["no-such"], b"", 127, b""),
    ],
)
def test_any_posix_shell_over_there_will_do(
    shell: str, argv: list[str], stdin: bytes, status: int, out: bytes
) -> None:
    """The script is the same for all."""
    program = shell.partition(" ")[0]
    try:
        have({program: PACKAGES.get(program, program)})
    except MissingPart as why:
        missing(str(why))
    marks = Marks()
    ended, printed = _there(shell, sent(argv, stdin, marks))
    assert (ended, printed) == (status, f"{marks.begun}\n".encode() + out)


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_nothing_is_run_before_all_has_come(tmp_path: Path, cut: int) -> None:
    """A connection may be lost in the middle of the input."""
    file = tmp_path / "ran"
    data = sent(["touch", str(file)], b"input", Marks())
    with subprocess.Popen(
        ["sh", "-c", THERE], stdin=subprocess.PIPE, start_new_session=True
    ) as there:
        there.communicate(data[:cut])
    assert there.returncode == 125
    assert not file.exists()


def _there(shell: str, data: bytes) -> tuple[int, bytes]:
    """What the script ends with, and what it prints, while the lifeline is held."""
    command = THERE.replace("/bin/sh", shell)
    with subprocess.Popen(
        ["sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as there:
        assert there.stdin is not None
        assert there.stdout is not None
        there.stdin.write(data)
        there.stdin.flush()
        status = there.wait(timeout=20)
        return status, there.stdout.read()
