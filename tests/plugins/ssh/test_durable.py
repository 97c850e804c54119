"""A command on a host outlives a killed engine here, and the next one goes on with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycurrent import Active, Config, Current, Failed, FailureKind, Ok, Tree
from pycurrent.plugins import ssh
from pycurrent.testing import Harness

from ..sshd import Sshd
from . import killable
from .processes import break_connections, clients, command_lines, seconds, sleeping
from .waiting import over, until

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="durable commands need Linux"),
]


@pytest.fixture
def number() -> Iterator[str]:
    """How long a process of the command sleeps; none is left in the end."""
    number = seconds()
    yield number
    for pid in sleeping(number):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def killed(plan: str, host: ssh.Host, folder: Path, number: str) -> AsyncIterator[None]:
    """An engine was killed while its command waits on a host."""
    killable.told(folder, host)
    (folder / "plan").write_text(f"{plan} {number}")
    for name in ("begun", "go"):
        os.mkfifo(folder / name)
    process = subprocess.Popen([sys.executable, killable.__file__, str(folder)])  # noqa: ASYNC220
    try:
        await asyncio.to_thread((folder / "begun").read_bytes)
    finally:
        process.kill()
        process.wait()
    yield


async def go(folder: Path) -> None:
    """Let the command that waits go on."""
    await asyncio.to_thread((folder / "go").write_bytes, b"")


def next_engine(folder: Path) -> Harness:
    return Harness(
        lambda: killable.pipeline(folder),
        state_dir=folder / "state",
        config=Config(lease=killable.LEASE),
        start=datetime.now(UTC),
    )


@asynccontextmanager
async def over_later(
    plan: str, host: ssh.Host, folder: Path, number: str, ended_meanwhile: bool
) -> AsyncIterator[Harness]:
    """The engine after the killed one, when the job is over: its command has ended while there was
    no engine, or goes on until then.
    """
    async with killed(plan, host, folder, number):
        if ended_meanwhile:
            await go(folder)
            await until(lambda: not sleeping(number) and not clients(host.port))
        async with next_engine(folder) as h:
            if not ended_meanwhile:
                await h.until(lambda: h.stats.running == 1)
                assert len(sleeping(number)) == 1
                await go(folder)
            await over(h)
            yield h


def said(h: Harness) -> list[str]:
    """The lines of the log that the command has printed, and those on the way."""
    lines = h.log("ran").splitlines()
    return [line.partition(": ")[2] or line for line in lines]


def ran(folder: Path) -> str:
    return (folder / "ran").read_text()


def left(folder: Path) -> list[Path]:
    """What is kept of jobs that could go on."""
    return list((folder / "state" / "run").glob("*/*"))


@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_a_command_goes_on_with_the_next_engine(
    host: ssh.Host, tmp_path: Path, number: str, ended_meanwhile: bool
) -> None:
    """It is the same run, with its input; the log has each byte once, also where it has ended while
    no engine was there.
    """
    async with over_later("runs", host, tmp_path, number, ended_meanwhile) as h:
        assert h.output == Ok(None)
        assert [build.ok for build in h.history("ssh-run")] == [True]
        lines = said(h)
    assert ran(tmp_path) == "ran\nrun\n"
    own = [line for line in lines if not line.startswith(("Exec: ", "New job: "))]
    assert sorted(own) == ["Job succeeded", "first", "second", "third", "wrong"]
    assert len(lines) == len(own) + 2
    assert left(tmp_path) == []


@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_how_a_command_has_failed_is_known(
    host: ssh.Host, tmp_path: Path, number: str, ended_meanwhile: bool
) -> None:
    """Its status, and the last that it has said."""
    async with over_later("fails", host, tmp_path, number, ended_meanwhile) as h:
        assert h.output == Failed(f"sh on {host} exited with status 7: no")
    assert ran(tmp_path) == "ran\n"


@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_an_output_goes_on(
    host: ssh.Host, tmp_path: Path, number: str, ended_meanwhile: bool
) -> None:
    """It is whole; the log has the errors alone."""
    async with over_later("prints", host, tmp_path, number, ended_meanwhile) as h:
        assert h.output == Ok("first\nsecond\r\n")
        lines = said(h)
    assert [line for line in lines if line in {"first", "wrong", "second", "third"}] == [
        "wrong",
        "third",
    ]
    assert ran(tmp_path) == "ran\n"


@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_the_files_of_a_command_come_back(
    host: ssh.Host, tmp_path: Path, number: str, ended_meanwhile: bool
) -> None:
    """To the engine that goes on, and once."""
    async with over_later("makes", host, tmp_path, number, ended_meanwhile) as h:
        assert isinstance(h.output, Ok)
        tree = h.output.value
        assert isinstance(tree, Tree)
        assert tree.count == 1
        log = h.log("ran")
    assert log.count("\nfirst\n") == log.count("\nsecond\n") == 1
    assert log.count("Left out, as they are not files (1): pipe") == 1
    assert ran(tmp_path) == "ran\n"


async def test_a_cancel_after_that_ends_all_of_it(
    host: ssh.Host, tmp_path: Path, number: str
) -> None:
    """Over there, too, before the job has ended."""
    async with killed("runs", host, tmp_path, number), next_engine(tmp_path) as h:
        await h.until(lambda: h.stats.running == 1)
        h.find("try").cancel("enough")
        await over(h)
        assert h.output == Failed("Cancelled: enough")
        assert sleeping(number) == []


async def test_a_timeout_counts_from_the_first_start(
    host: ssh.Host, tmp_path: Path, number: str
) -> None:
    """And ends all of it, as a cancel does."""
    async with killed("runs", host, tmp_path, number), next_engine(tmp_path) as h:
        await h.until(lambda: h.stats.running == 1)
        h.clock.move(timedelta(hours=2))
        await over(h)
        assert h.output == Failed("Timed out after 1 h")
        assert sleeping(number) == []


async def test_a_connection_that_is_lost_meanwhile_is_no_failure_of_the_command(
    own_server: Sshd, to: Callable[..., ssh.Host], tmp_path: Path, number: str
) -> None:
    """What was run over it is ended there, also without an engine here."""
    host = to(own_server)
    async with killed("runs", host, tmp_path, number):
        break_connections(own_server)
        await until(lambda: not sleeping(number) and not clients(host.port))
        async with next_engine(tmp_path) as h:
            await over(h)
            assert isinstance(h.output, Failed)
            assert h.output.kind is FailureKind.INFRA
            assert f"the connection to {host} was lost while the command ran" in h.output.message
    assert ran(tmp_path) == "ran\n"


async def test_a_secret_is_kept_nowhere(host: ssh.Host, tmp_path: Path, number: str) -> None:
    """The next engine reads it again, and masks it."""
    secret = "correct-horse-battery"
    place = tmp_path / "secret"
    place.write_text(secret)
    async with killed("reads", host, tmp_path, number), next_engine(tmp_path) as h:
        await h.until(lambda: h.stats.running == 1)
        kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert not any(secret.encode() in path.read_bytes() for path in kept)
        assert not any(secret in line for line in command_lines())
        await go(tmp_path)
        await over(h)
        assert h.output == Ok(None)
        assert "\n****" in h.log("ran")
        assert secret not in h.log("ran")
    assert ran(tmp_path) == "ran\n"


async def test_a_command_whose_secret_is_another_is_run_afresh(
    host: ssh.Host, tmp_path: Path, number: str
) -> None:
    """The first one is ended before that, over there too."""
    place = tmp_path / "secret"
    place.write_text("correct-horse-battery")
    async with killed("reads", host, tmp_path, number):
        (first,) = sleeping(number)
        place.write_text("another-horse-battery")
        async with next_engine(tmp_path) as h:
            await asyncio.to_thread((tmp_path / "begun").read_bytes)
            assert first not in sleeping(number)
            await go(tmp_path)
            await over(h)
            assert h.output == Ok(None)
            assert [build.ok for build in h.history("ssh-run")] == [None, True]
    assert ran(tmp_path) == "ran\nran\n"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A state directory that has what jobs have printed on a disk of 2 MiB."""
    state = tmp_path / "state"
    (state / "run").mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "pycurrent-test", str(state / "run")]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield state
    subprocess.run(["umount", "--lazy", str(state / "run")], check=True)


async def test_an_output_that_can_t_be_kept_is_told(host: ssh.Host, small: Path) -> None:
    """The disk is full. That is not the work's fault, so it is done again."""

    def pipeline() -> Current[str]:
        return ssh.output(host, ["head", "-c", "8000000", "/dev/zero"])

    async with Harness(pipeline, state_dir=small, config=Config(lease=killable.LEASE)) as h:
        words = f"head on {host} has printed could be kept: the disk here is full (this is not its"
        await h.until(lambda: words in h.log("head"), timeout=40)
        assert isinstance(h.output, Active)


@pytest.mark.parametrize("output", [False, True])
async def test_a_state_directory_may_have_any_name(
    host: ssh.Host, tmp_path: Path, output: bool
) -> None:
    """It need not be UTF-8."""
    state = tmp_path / os.fsdecode(b"st\xe9")

    def pipeline() -> Current[object]:
        if output:
            return ssh.output(host, ["echo", "hello"])
        return ssh.run(host, ["echo", "hello"], key="try")

    async with Harness(pipeline, state_dir=state, config=Config(lease=killable.LEASE)) as h:
        await over(h)
        assert h.output == Ok("hello\n" if output else None)
