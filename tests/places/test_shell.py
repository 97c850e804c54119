"""`pycurrent shell` opens a terminal where a job runs, and where it has failed."""

from __future__ import annotations

import asyncio
import os
import pty
import shlex
import struct
import sys
import termios
from datetime import timedelta
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import CommandFailed, Config, Job
from pycurrent.errors import UsageError
from pycurrent.plugins import slurm, ssh
from pycurrent.term import Failed, Ok
from pycurrent.testing import Harness

from ..engine.doing import one
from .at import At, started

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]

WAITS = "echo here > file; echo ready; while [ ! -e go ]; do sleep 0.05; done"
KEEP = timedelta(hours=2)


def words(at: At, *command: str) -> list[str]:
    """The command line of `pycurrent shell` for the newest job."""
    state = ["--state-dir", str(at.folder / "state")]
    return [sys.executable, "-m", "pycurrent", "shell", *state, "last", "--", *command]


async def shell(at: At, *command: str, stdin: str = "") -> tuple[int, str, str]:
    """The status and the outputs of a command where the newest job runs, or ran."""
    process = await asyncio.create_subprocess_exec(
        *words(at, *command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def waiting(at: At) -> Harness:
    """An engine with a job whose command waits until there is a file `go`."""

    async def work(job: Job) -> None:
        await started(job, at.pool)
        async with job.tempdir("work-") as folder:
            await job.exec(["sh", "-c", WAITS], cwd=folder)

    return one(at.folder / "state", work)


def failing(at: At, keep: timedelta | None = KEEP) -> Harness:
    """An engine with a job that fails in a folder which is kept."""

    async def work(job: Job) -> None:
        await started(job, at.pool)
        async with job.tempdir("work-", keep=keep) as folder:
            await job.exec(["sh", "-c", "echo here > file; exit 3"], cwd=folder)

    return one(at.folder / "state", work)


async def ready(h: Harness) -> None:
    await h.until(lambda: "\nready\n" in h.log("do a"), timeout=60)


async def failed(h: Harness) -> None:
    await h.until(lambda: isinstance(h.output, Failed), timeout=60)


@pytest.mark.every_place
async def test_a_command_runs_where_a_job_runs(at: At) -> None:
    """In the folder of the job's own command. With its input and its outputs."""
    async with waiting(at) as h:
        await ready(h)
        status, out, err = await shell(at, "sh", "-c", "cat file -; echo told >&2", stdin="typed\n")
        assert (status, out) == (0, "here\ntyped\n")
        assert "told" in err
        assert (at.pool is None) == (" in /" in err)
        assert (await shell(at, "touch", "go"))[0] == 0
        await h.until(lambda: isinstance(h.output, Ok), timeout=60)


@pytest.mark.every_place
async def test_its_status_is_that_of_the_command(at: At) -> None:
    """And one that can't be run is named."""
    async with waiting(at) as h:
        await ready(h)
        assert (await shell(at, "sh", "-c", "exit 7"))[0] == 7
        status, _, err = await shell(at, "no-such-command")
        assert status != 0
        assert "no-such-command can't be run" in err


@pytest.mark.every_place
async def test_a_shell_has_the_terminal(at: At) -> None:
    """With its size, also a new one, and its keys: Ctrl-C is for what runs there."""
    near, far = pty.openpty()
    ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    async with waiting(at) as h:
        await ready(h)
        process = await asyncio.create_subprocess_exec(
            *words(at)[:-1],
            stdin=far,
            stdout=far,
            stderr=far,
            env={**os.environ, "SHELL": "/bin/sh"},
        )
        os.close(far)
        output, said = asyncio.StreamReader(), b""
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(os.dup(near), "rb", 0)
        )

        async def type_until(line: str, expected: str) -> None:
            nonlocal said
            os.write(near, f"{line}\n".encode())
            async with asyncio.timeout(30):
                while expected.encode() not in said:
                    more = await output.read(4096)
                    assert more, said
                    said += more

        await type_until("cat file; stty size", "here\r\n33 99\r\n")
        ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
        process.send_signal(28)
        await type_until(
            "while [ \"$(stty size)\" != '20 70' ]; do :; done; echo new' 'size", "new size"
        )
        # Here it is the shell's own terminal.
        trap = "trap 'echo cau''ght; exit' INT; echo wai''ting; while :; do sleep 0.05; done"
        if at.pool is not None:
            await type_until(f'sh -c "{trap}"', "waiting")
            await type_until("\x03", "caught")
        await type_until("touch go; exit", "exit")
        assert await process.wait() == 0
        await h.until(lambda: isinstance(h.output, Ok), timeout=60)
    transport.close()
    await asyncio.sleep(0)  # it closes in the next turn of the loop
    os.close(near)


@pytest.mark.every_place
async def test_the_folder_of_a_job_that_fails_is_kept(at: At) -> None:
    """The log says until when, and how to get there."""
    async with failing(at) as h:
        await failed(h)
        assert ": pycurrent shell " in h.log("do a")
        status, out, err = await shell(at, "cat", "file")
        assert ", kept until 20" in err
        if isinstance(at.pool, slurm.Partition):
            # Its allocation has ended with the job.
            assert status != 0
            assert "is over" in err
        else:
            assert (status, out) == (0, "here\n")


async def test_no_other_folder_is_kept(at: At) -> None:
    """One that nobody wants to be kept, and one in which nothing has failed."""

    async def work(job: Job) -> None:
        await started(job, at.pool)
        async with job.tempdir("good-", keep=KEEP) as folder:
            await job.exec(["touch", "file"], cwd=folder)
        with pytest.raises(CommandFailed):
            async with job.tempdir("bad-") as folder:
                await job.exec(["sh", "-c", "touch file; exit 3"], cwd=folder)

    async with one(at.folder / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert h.output == Ok("done")
        status, _, err = await shell(at, "ls")
    assert status != 0
    assert "no folder of job" in err
    assert "--keep-failed" in err


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "state" / "kept").glob("*/*/file"))


async def test_kept_folders_go_when_their_time_is_over(tmp_path: Path) -> None:
    """Also under the next engine, and never before."""
    at = At(None, tmp_path)
    async with failing(at) as h:
        await failed(h)
        assert len(kept(tmp_path)) == 1
        await h.advance(KEEP / 2)
        assert len(kept(tmp_path)) == 1
    async with failing(at) as h:
        await failed(h)
        assert len(kept(tmp_path)) == 1
        await h.advance(2 * KEEP)
        await h.engine.opened.host.trash.emptied()
        assert kept(tmp_path) == []
    assert (await shell(at, "ls"))[0] != 0


@pytest.mark.parametrize("files", [1, 30])
async def test_jobs_that_do_not_fail_leave_nothing(tmp_path: Path, files: int) -> None:
    """Neither one that has few files, nor one with many, which are removed behind it."""

    async def work(job: Job) -> None:
        await started(job, None)
        async with job.tempdir("a-", keep=KEEP) as first, job.tempdir("b-", keep=KEEP) as second:
            for number in range(files):
                (first / f"{number}").touch()
                (second / f"{number}").touch()

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: h.output == Ok("done"))
        await h.engine.opened.host.trash.emptied()
        assert list((tmp_path / "state" / "kept").iterdir()) == []


async def test_what_a_killed_engine_has_left_goes(tmp_path: Path) -> None:
    """A folder of a job that does not go on, and has not failed."""
    left = tmp_path / "state" / "kept" / "2026-11-22-084703-do-1a2b3c" / "work-x"
    left.mkdir(parents=True)
    async with failing(At(None, tmp_path), keep=None) as h:
        await failed(h)
        await h.engine.opened.host.trash.emptied()
        assert not left.exists()


async def test_the_engine_keeps_the_folders_of_work_alone(tmp_path: Path) -> None:
    """`keep_failed` is for checkouts and files: another temporary folder may have keys."""

    async def work(job: Job) -> None:
        async with job.tempdir("keys-") as keys, job.tempdir(keep=job.keep_failed) as folder:
            (keys / "file").write_text("secret")
            (folder / "file").write_text("work")
            await job.exec(["false"])

    async with one(tmp_path / "state", work, Config(keep_failed=KEEP)) as h:
        await failed(h)
        (file,) = kept(tmp_path)
        assert file.read_text() == "work"


@pytest.mark.parametrize("keep", [0, "2h", timedelta(0)])
async def test_a_time_that_is_none_is_refused(tmp_path: Path, keep: Any) -> None:
    """With what to write; both for the engine and for a folder."""
    with pytest.raises(UsageError, match="keep_failed= takes a time above 0"):
        Config(keep_failed=keep)

    async def work(job: Job) -> None:
        async with job.tempdir(keep=keep):
            """It is not entered."""

    async with one(tmp_path / "state", work) as h:
        await failed(h)
        assert "job.tempdir: keep= takes a time above 0" in str(h.output)


def test_the_words_of_a_terminal_need_no_shell_of_a_kind(tmp_path: Path) -> None:
    """They have no line end, and quotes of one kind alone."""
    place = ssh.Hosts(["build1"]).places[0]
    argv = place.terminal()
    assert "\n" not in shlex.join(argv)
