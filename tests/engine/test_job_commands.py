"""What jobs run: commands, their output, their folders, and the disks they fill."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.engine import CommandFailed, Job, Level
from pycurrent.errors import PycurrentError
from pycurrent.store.trees import remove_tree
from pycurrent.term import Active, Activity, Failed, Ok

from .doing import cancelled, ended, one, start
from .marks import marked


@pytest.fixture
def mark() -> str:
    """What the environment of the processes of a test contains."""
    return uuid.uuid4().hex


# What a command gets, and what it gives


async def test_the_output_of_a_command_is_in_the_log(tmp_path: Path) -> None:
    """After the command itself, as one would type it; both streams, and in order."""

    async def work(job: Job) -> None:
        await start(job)
        await job.exec(["sh", "-c", "echo one; echo two >&2; printf three"])
        job.log("after")

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    stamp = "2026-01-01 00:00.00: "
    assert f"{stamp}Exec: sh -c 'echo one; echo two >&2; printf three'\none\ntwo\nthree\n" in log
    assert log.endswith(f"three\n{stamp}after\n{stamp}Job succeeded\n")


async def test_a_command_has_its_folder_environment_and_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`env` adds to the engine's; without `stdin` there is nothing to read."""
    monkeypatch.setenv("OF_THE_ENGINE", "yes")
    (tmp_path / "sub").mkdir()

    async def work(job: Job) -> str:
        await start(job)
        script = "pwd; echo $OF_THE_ENGINE $MORE; cat"
        args = {"cwd": tmp_path / "sub", "env": {"MORE": "more"}}
        outputs = [
            await job.check_output(["sh", "-c", script], stdin=stdin, **args)  # type: ignore[arg-type]
            for stdin in ("text é", b"bytes", None)
        ]
        return "|".join(outputs)

    output, _ = await ended(tmp_path / "state", work)
    begin = f"{tmp_path / 'sub'}\nyes more\n"
    assert output == Ok(f"{begin}text é|{begin}bytes|{begin}")


async def test_a_variable_that_is_none_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what the command has of the engine's environment; it need not be there."""
    monkeypatch.setenv("REMOVED", "yes")
    monkeypatch.setenv("KEPT", "kept")
    env = {"REMOVED": None, "NEVER_SET": None, "EMPTY": ""}

    async def work(job: Job) -> str:
        await start(job)
        script = "echo ${REMOVED-none} ${NEVER_SET-none} ${KEPT-none} ${EMPTY-none}."
        await job.exec(["sh", "-c", script], env=env)
        return await job.check_output(["sh", "-c", script], env=env)

    output, log = await ended(tmp_path, work)
    assert output == Ok("none none kept .\n")
    assert "\nnone none kept .\n" in log
    assert os.environ["REMOVED"] == "yes"


async def test_check_output_gives_stdout_and_logs_stderr(tmp_path: Path) -> None:
    """What is no UTF-8 is shown as such."""

    async def work(job: Job) -> str:
        await start(job)
        return await job.check_output(["sh", "-c", r"printf 'out\377'; echo err >&2"])

    output, log = await ended(tmp_path, work)
    assert output == Ok("out\ufffd")
    assert "\nerr\n" in log
    assert "\nout" not in log


@pytest.mark.parametrize("ending", ["exit 1", "kill -9 $$"])
async def test_what_a_command_that_fails_was_run_for_is_in_the_log(
    tmp_path: Path, ending: str
) -> None:
    """Its standard output, after its standard error, masked; an exception says where it begins."""
    caught: list[CommandFailed] = []

    async def work(job: Job) -> str:
        await start(job)
        token = job.secret("s3cr3t-token")
        try:
            return await job.check_output(
                ["sh", "-c", f"echo 12 passed, 3 failed; echo {token}; echo why >&2; {ending}"]
            )
        except CommandFailed as error:
            caught.append(error)
            raise

    async with one(tmp_path, work) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        log = h.log("do a")
        shown = "\nwhy\n2026-01-01 00:00.00: Its standard output:\n12 passed, 3 failed\n****\n"
        assert shown in log
        at = caught[0].stdout_at
        assert at is not None
        before = h.engine.opened.state.job_path(h.find("do a").id).read_bytes()[:at]
        assert before.endswith(b"\nwhy\n")


async def test_only_the_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    """From the beginning of a line on, and without half of a secret: it is masked before."""

    async def work(job: Job) -> str:
        await start(job)
        job.secret("s3cr3t-token")
        # The secret is so long and often there that any cut is within one.
        return await job.check_output(["sh", "-c", "yes s3cr3t-token | head -n 200000; exit 1"])

    output, log = await ended(tmp_path, work)
    assert isinstance(output, Failed)
    assert "s3cr" not in log
    assert "-token\n" not in log
    assert len(log) < 66 << 10
    assert "Its standard output, the last 65535 bytes:\n****\n****\n" in log


async def test_what_a_cancelled_command_was_run_for_is_in_the_log(tmp_path: Path) -> None:
    """As far as it came: a timeout is often told by what was printed last."""
    begun = asyncio.Event()

    async def work(job: Job) -> str:
        await start(job)
        async with job.tempdir() as folder:
            running = asyncio.ensure_future(
                job.check_output(["sh", "-c", "echo 1 of 3; touch begun; sleep 1000"], cwd=folder)
            )
            await asyncio.to_thread(_wait_for, folder / "begun")
            begun.set()
            return await running

    async with one(tmp_path, work) as h:
        await begun.wait()
        h.find("do a").cancel("enough")
        await h.settle()
        assert "Its standard output:\n1 of 3\n" in h.log("do a")


async def test_a_command_that_fails_says_which_and_how(tmp_path: Path) -> None:
    """By status or by signal; its exception carries both."""
    caught: list[CommandFailed] = []

    async def work(job: Job) -> None:
        await start(job)
        try:
            await job.exec(["sh", "-c", "kill -9 $$"])
        except CommandFailed as error:
            caught.append(error)
        await job.exec(["sh", "-c", "exit 3"])

    output, log = await ended(tmp_path, work)
    assert output == Failed("sh -c 'exit 3' exited with status 3")
    assert "Job failed: sh -c 'exit 3' exited with status 3" in log
    assert (
        str(caught[0])
        == "sh -c 'kill -9 $$' was killed by signal 9, as by the system when memory is short"
    )
    assert (caught[0].status, caught[0].command) == (-9, "sh -c 'kill -9 $$'")


async def test_a_command_is_shown_as_one_wishes(tmp_path: Path) -> None:
    """In the log and in the failure; as a text, or as words."""

    async def work(job: Job) -> None:
        await start(job)
        await job.exec(["true", "token-1"], show="true <token>")
        await job.exec(["false", "token-2"], show=["false", "a b"])

    output, log = await ended(tmp_path, work)
    assert output == Failed("false 'a b' exited with status 1")
    assert "Exec: true <token>\n" in log
    assert "token-" not in log


async def test_a_command_that_cant_be_started_says_why(tmp_path: Path) -> None:
    """No such command, no such folder."""

    async def missing(job: Job) -> None:
        await start(job)
        await job.exec(["there-is-no-such-command", "x"])

    output, log = await ended(tmp_path / "1", missing)
    assert output == Failed(
        "can't start 'there-is-no-such-command': there is no such command on the PATH"
    )
    assert "Exec: there-is-no-such-command x" in log

    async def nowhere(job: Job) -> None:
        await start(job)
        await job.exec(["true"], cwd=tmp_path / "nowhere")

    output, _ = await ended(tmp_path / "2", nowhere)
    assert isinstance(output, Failed)
    assert "its working directory" in output.message
    assert "nowhere" in output.message


@pytest.mark.parametrize("argv", ["ls -l", [], [""], ["echo", 7], ["echo", "a\0b"]])
async def test_a_command_that_is_none_is_refused(tmp_path: Path, argv: list[str]) -> None:
    """A string is no list of words."""

    async def work(job: Job) -> None:
        await start(job)
        await job.exec(argv)

    output, _ = await ended(tmp_path, work)
    assert isinstance(output, Failed)
    assert output.message.startswith(("a command is a list of its words, not", "can't start"))


async def test_a_huge_output_is_in_the_log_as_a_whole(tmp_path: Path) -> None:
    """While the loop goes on."""
    size = 20 << 20

    async def work(job: Job) -> None:
        await start(job)
        await job.exec(["head", "-c", str(size), "/dev/zero"])

    async with one(tmp_path, work) as h:
        await h.settle()
        assert h.output == Ok("done")
        log = h.engine.opened.state.job_path(h.find("do a").id).read_bytes()
        assert log.count(b"\0") == size


async def test_secrets_are_masked_in_what_commands_print(tmp_path: Path) -> None:
    """In the command as it is shown, too; what `check_output` gives is not changed."""

    async def work(job: Job) -> str:
        await start(job)
        token = job.secret("s3cr3t-token")
        await job.exec(["echo", token])
        given = await job.check_output(["sh", "-c", f"echo {token}; echo {token} >&2"])
        assert given == f"{token}\n"
        await job.exec(["sh", "-c", f"exit 1; {token}"])
        return ""

    output, log = await ended(tmp_path, work)
    assert "s3cr3t" not in log
    assert log.count("\n****\n") == 2
    assert output == Failed("sh -c 'exit 1; ****' exited with status 1")


async def test_what_a_command_leaves_behind_is_ended_and_named(tmp_path: Path) -> None:
    """Daemons of build tools, say; what ends by itself is not, even if it does a moment later."""

    async def work(job: Job) -> None:
        await start(job)
        script = """
        sleep 1000 & first=$!
        setsid sleep 1000 &
        until [ "$(cat /proc/$first/comm /proc/$!/comm)" = "sleep\nsleep" ]; do :; done
        """
        await job.exec(["sh", "-c", script])
        await job.exec(["sh", "-c", "sleep 0.01 & wait"])
        await job.exec(["sh", "-c", "sleep 0.01 &"])

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    assert ": Ended 2 processes that it left behind: sleep, sleep\n" in log
    assert log.count("left behind") == 1


@pytest.mark.parametrize("holder", [["sleep", "1000"], ["yes"]])
async def test_a_pipe_that_somebody_else_holds_does_not_keep_the_job(
    tmp_path: Path, holder: list[str]
) -> None:
    """A process that the command has lost, silent or not: what the command wrote is in the log."""
    holding: list[subprocess.Popen[bytes]] = []

    async def work(job: Job) -> None:
        await start(job)
        async with job.tempdir() as folder:
            script = "echo $$ > new; mv new pid; while [ ! -e go ]; do sleep 0.01; done; echo last"
            running = asyncio.ensure_future(job.exec(["sh", "-c", script], cwd=folder))
            await asyncio.to_thread(_wait_for, folder / "pid")
            pid = (folder / "pid").read_text().strip()
            with Path(f"/proc/{pid}/fd/1").open("wb", buffering=0) as pipe:
                holding.append(subprocess.Popen(holder, stdout=pipe))  # noqa: ASYNC220
            (folder / "go").touch()
            await running

    try:
        output, log = await ended(tmp_path, work)
    finally:
        for process in holding:
            process.kill()
            process.wait()
    assert output == Ok("done")
    assert "last\n" in log
    assert "Its output is held open by a process that it did not start, or lost\n" in log


# Cancelling


async def test_a_cancelled_command_leaves_no_process(tmp_path: Path, mark: str) -> None:
    """Not even those that have left its session."""
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        async with job.tempdir() as folder:
            script = "setsid sleep 1000 & (sleep 1000 &) ; touch begun; sleep 1000"
            running = asyncio.ensure_future(
                job.exec(["sh", "-c", script], cwd=folder, env={"MARK": mark})
            )
            await asyncio.to_thread(_wait_for, folder / "begun")
            begun.set()
            await running

    async with one(tmp_path, work) as h:
        await begun.wait()
        assert len(marked(mark)) >= 3
        h.find("do a").cancel("enough")
        await h.settle()
        assert h.output == cancelled("enough")
        assert marked(mark) == []
        assert list(h.engine.opened.state.tmp.iterdir()) == []


async def test_a_command_may_have_another_grace(tmp_path: Path, mark: str) -> None:
    """Between SIGTERM, which this one does not heed, and SIGKILL: less than it has by default."""
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        async with job.tempdir() as folder:
            script = "trap '' TERM; touch begun; sleep 1000 & wait; wait"
            command = job.exec(["sh", "-c", script], cwd=folder, env={"MARK": mark}, grace=0.2)
            running = asyncio.ensure_future(command)
            await asyncio.to_thread(_wait_for, folder / "begun")
            begun.set()
            await running

    async with one(tmp_path, work) as h:
        await begun.wait()
        told = time.monotonic()
        h.find("do a").cancel("enough")
        await h.settle()
        assert h.output == cancelled("enough")
        assert 0.2 <= time.monotonic() - told < 4.5
        assert marked(mark) == []


def _wait_for(path: Path) -> None:
    """Blocks until a command has made the file."""
    subprocess.run(["sh", "-c", 'until [ -e "$1" ]; do sleep 0.005; done', "sh", path], check=True)


async def test_a_command_that_is_not_cancellable_ends_by_itself(tmp_path: Path) -> None:
    """Then the job is cancelled."""
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        (tmp_path / "go").unlink(missing_ok=True)
        os.mkfifo(tmp_path / "go")
        running = asyncio.ensure_future(
            job.exec(
                ["sh", "-c", "echo begun > begun; cat go; echo to the end"],
                cwd=tmp_path,
                cancellable=False,
            )
        )
        await asyncio.to_thread(_wait_for, tmp_path / "begun")
        begun.set()
        await running

    async with one(tmp_path / "state", work) as h:
        await begun.wait()
        h.find("do a").cancel("enough")
        for _ in range(20):
            await asyncio.sleep(0)
        assert h.output == Active(Activity.RUNNING)
        await asyncio.to_thread((tmp_path / "go").write_text, "gone\n")
        await h.settle()
        assert h.output == cancelled("enough")
        assert "gone\nto the end\n" in h.log("do a")


async def test_a_command_that_is_not_cancellable_ends_by_itself_from_the_very_start(
    tmp_path: Path,
) -> None:
    """It may be at work before anybody has heard that it has been started."""

    async def work(job: Job) -> None:
        await start(job)
        asyncio.get_running_loop().call_soon(job.cancel, "too early")
        await job.exec(["echo", "to the end"], cancellable=False)

    output, log = await ended(tmp_path, work)
    assert output == cancelled("too early")
    assert "Cancelling: too early\nto the end\n" in log.replace("2026-01-01 00:00.00: ", "")


async def test_a_command_that_the_work_has_left_running_ends_with_the_job(
    tmp_path: Path, mark: str
) -> None:
    """And none can be started later."""
    strays: list[asyncio.Future[None]] = []
    jobs: list[Job] = []

    async def work(job: Job) -> None:
        await start(job)
        jobs.append(job)
        command = ["sh", "-c", f"touch {tmp_path}/begun; sleep 1000"]
        strays.append(asyncio.ensure_future(job.exec(command, env={"MARK": mark})))
        await asyncio.to_thread(_wait_for, tmp_path / "begun")

    async with one(tmp_path / "state", work) as h:
        await h.settle()
        assert h.output == Ok("done")
        assert marked(mark) == []
        with pytest.raises(CommandFailed, match="killed by signal 15"):
            await strays[0]
        with pytest.raises(PycurrentError, match="has ended: it can't run true"):
            await jobs[0].exec(["true"])


async def test_cancelling_reaches_a_command_that_is_shielded(tmp_path: Path, mark: str) -> None:
    """A cancelled job ends its processes itself."""
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        command = ["sh", "-c", f"touch {tmp_path}/begun; sleep 1000"]
        running = asyncio.ensure_future(job.exec(command, env={"MARK": mark}))
        await asyncio.to_thread(_wait_for, tmp_path / "begun")
        begun.set()
        try:
            await asyncio.shield(running)
        finally:
            with pytest.raises(CommandFailed):
                await running

    async with one(tmp_path / "state", work) as h:
        await begun.wait()
        h.find("do a").cancel("enough")
        await h.settle()
        assert (h.output, marked(mark)) == (cancelled("enough"), [])


async def test_a_timeout_ends_a_command(tmp_path: Path, mark: str) -> None:
    """With everything it has started."""
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await job.start(level=Level.HARMLESS, timeout=timedelta(minutes=1))
        command = ["sh", "-c", f"touch {tmp_path}/begun; sleep 1000"]
        running = asyncio.ensure_future(job.exec(command, env={"MARK": mark}))
        await asyncio.to_thread(_wait_for, tmp_path / "begun")
        begun.set()
        await running

    async with one(tmp_path / "state", work) as h:
        await begun.wait()
        await h.advance(timedelta(minutes=1))
        assert (h.output, marked(mark)) == (Failed("Timed out after 1 min"), [])


# Folders


async def test_a_tempdir_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    """Also when the block fails."""
    folders: list[Path] = []

    async def work(job: Job) -> None:
        await start(job)
        async with job.tempdir("build-") as folder:
            folders.append(folder)
            (folder / "deep").mkdir()
            (folder / "deep" / "file").touch()
            (folder / "deep").chmod(0o500)
            raise ValueError

    await ended(tmp_path, work)
    assert not folders[0].exists()


def test_folders_that_cant_be_written_are_removed_and_links_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a user who may not write everything, as root may."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    outside.chmod(0o500)
    tree = tmp_path / "tree"
    for name in ("unwritable", "unreadable/deep"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").touch()
        (tree / name / "link").symlink_to(outside)
    (tree / "unwritable").chmod(0o500)
    (tree / "unreadable").chmod(0)
    monkeypatch.chdir(tmp_path)
    with ordinary_user(tmp_path):
        remove_tree(Path("tree"))
    assert not tree.exists()
    assert (outside / "kept").exists()
    assert outside.stat().st_mode & 0o777 == 0o500


@contextmanager
def ordinary_user(folder: Path) -> Iterator[None]:
    """Whoever runs the test is no superuser in the block, and owns the folder."""
    if os.geteuid() != 0:
        yield
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# Full disks


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "pycurrent-test", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(ballast: Path) -> None:
    """Leave no room on the disk."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


async def test_work_whose_log_cant_be_written_is_done_again(small: Path) -> None:
    """The engine goes on; once there is room again, so does the work, and nothing is lost."""
    jobs = small / "job"
    size = 4 << 20

    async def work(job: Job) -> None:
        await start(job)
        await job.exec(["head", "-c", str(size), "/dev/zero"])

    async with one(small, work) as h:
        await h.settle()
        # Nor can it be recorded yet that it has to be.
        assert h.output == Active(Activity.RUNNING)
        for log in jobs.rglob("*.log"):
            log.unlink()
        size = 1024
        await h.advance(timedelta(seconds=5))
        await h.advance(timedelta(seconds=5))
        assert h.output == Ok("done")
        assert [(build.build, build.ok) for build in h.history()] == [(0, None), (0, True)]


async def test_what_a_full_disk_does_not_take_is_written_once_it_does(small: Path) -> None:
    """The database keeps in memory what it can't write."""
    ballast = small / "ballast"
    filled = asyncio.Event()
    go = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        filled.set()
        await go.wait()

    async with one(small, work) as h:
        await filled.wait()
        await h.settle()
        fill(ballast)
        go.set()
        await h.settle()
        assert h.output == Active(Activity.RUNNING)
        ballast.unlink()
        # Its last line found no room any more, and then it is done again; or a rest of some page.
        await h.advance(timedelta(seconds=5))
        await h.advance(timedelta(seconds=5))
        assert h.output == Ok("done")
    async with one(small, work) as h:
        assert h.output == Ok("done")
        assert [b.build for b in h.history() if b.ok] == [0]


async def test_a_log_that_cant_be_made_fails_the_component(tmp_path: Path) -> None:
    """It can be tried again. A job that logs nothing, and runs nothing, needs none."""
    logs = False

    async def work(job: Job) -> None:
        await start(job)
        if logs:
            await job.exec(["true"])

    state = tmp_path / "state"
    async with one(state, work) as h:
        await h.settle()
    (state / "job").rename(tmp_path / "kept")
    (state / "job").mkdir()
    async with one(state, work) as h:
        assert h.output == Ok("done")
        (state / "job").rmdir()
        (state / "job").touch()
        h.find("do a").rebuild()
        await h.settle()
        assert h.output == Ok("done")
        logs = True
        h.find("do a").rebuild()
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "the log can't be written" in h.output.message
        assert "true" not in h.log("do a"), "the command was not run"
        (state / "job").unlink()
        h.find("do a").rebuild()
        await h.settle()
        assert h.output == Ok("done")
