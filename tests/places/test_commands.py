"""Commands do the same at each place."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.engine import CommandFailed, CommandNotStarted, Job, Level, Pool
from pycurrent.term import Current, Failed, FailureKind, Ok, Var
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from ..engine.doing import do, one
from ..engine.marks import marked
from .at import At, printed, started

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


@pytest.mark.every_place
async def test_output_goes_to_the_log(at: At) -> None:
    """Both outputs, in their order, with what is no UTF-8 as it is."""

    async def work(job: Job) -> None:
        await job.exec(["sh", "-c", "echo out; echo err >&2; printf 'ä ☃'; echo"])

    output, log = await at.ended(work)
    assert output == Ok("done")
    assert printed(log) == ["out", "err", "ä ☃"]


@pytest.mark.parametrize("status", [1, 3, 127, 255])
async def test_exit_statuses_are_told(at: At, status: int) -> None:
    """Also those that ssh and shells use for themselves."""

    async def work(job: Job) -> str:
        with pytest.raises(CommandFailed) as failed:
            await job.exec(["sh", "-c", f"exit {status}"])
        return str(failed.value.status)

    assert (await at.ended(work))[0] == Ok(str(status))


@pytest.mark.every_place
async def test_signals_are_told(at: At) -> None:
    """A command that a signal has killed has the negative number as its status."""

    async def work(job: Job) -> str:
        with pytest.raises(CommandFailed) as failed:
            await job.exec(["sh", "-c", "kill -9 $$"])
        return str(failed.value.status)

    assert (await at.ended(work))[0] == Ok("-9")


@pytest.fixture
def limited() -> Iterator[Path]:
    """A group of processes that may have 64 MB together: the file that takes their pids."""
    groups = Path("/sys/fs/cgroup")
    group, limit = groups / "memory" / uuid.uuid4().hex, "memory.limit_in_bytes"
    if not group.parent.is_dir():
        group, limit = groups / group.name, "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text("64M")
    except OSError as why:
        pytest.skip(f"no group of processes can have less memory here: {why}")
    yield group / "cgroup.procs"
    group.rmdir()


@pytest.mark.every_place
@pytest.mark.parametrize("in_shell", [False, True])
async def test_too_much_memory_is_told(at: At, limited: Path, in_shell: bool) -> None:
    """The system kills what takes more than it may. The machine is to blame, or its limit."""
    takes = f"{sys.executable} -c 'bytearray(1 << 30)'"
    run = f"{takes}; exit $?" if in_shell else f"exec {takes}"

    async def work(job: Job) -> None:
        await job.exec(["sh", "-c", f"echo $$ > {limited}; {run}"], show="greedy")

    output, _ = await at.ended(work)
    told = "exited with status 137, as after" if in_shell else "was killed by"
    assert isinstance(output, Failed)
    assert output.message.startswith(f"greedy {told} signal 9, ")
    assert output.message.endswith("when memory is short")
    assert output.kind is FailureKind.INFRA


async def test_standard_output_is_given(at: At) -> None:
    """And not logged; standard error is."""

    async def work(job: Job) -> str:
        return await job.check_output(["sh", "-c", "echo asked; echo logged >&2"])

    output, log = await at.ended(work)
    assert output == Ok("asked\n")
    assert printed(log) == ["logged"]


async def test_the_output_of_what_fails_is_logged(at: At) -> None:
    """Its end is all there is to see what went wrong."""

    async def work(job: Job) -> str:
        return await job.check_output(["sh", "-c", "echo half; exit 3"])

    output, log = await at.ended(work)
    assert isinstance(output, Failed)
    assert "half" in printed(log)


@pytest.mark.every_place
async def test_stdin_is_read(at: At) -> None:
    """All of a long one, and it is no terminal, and nothing without one."""
    text = "x" * 3_000_000

    async def work(job: Job) -> str:
        assert await job.check_output(["cat"]) == ""
        return (await job.check_output(["wc", "-c"], stdin=text)).strip()

    assert (await at.ended(work))[0] == Ok(str(len(text)))


async def test_the_environment_is_changed(at: At) -> None:
    """Variables are added, and taken away."""

    async def work(job: Job) -> str:
        env = {"ADDED": "ä b'\"$c", "HOME": None}
        words = ["sh", "-c", 'printf "%s|%s" "$ADDED" "${HOME-none}"']
        return await job.check_output(words, env=env)

    assert (await at.ended(work))[0] == Ok("ä b'\"$c|none")


async def test_words_arrive_as_they_are(at: At) -> None:
    """No shell takes them apart."""
    words = ["", " ", "a b", "'", '"', "$HOME", "`id`", "\n", "\\", "*", "☃", "-x", ";"]

    async def work(job: Job) -> str:
        return await job.check_output(
            ["python3", "-c", "import sys; print(sys.argv[1:])", *words], show="words"
        )

    assert (await at.ended(work))[0] == Ok(f"{words}\n")


async def test_a_command_that_is_not_there_is_named(at: At) -> None:
    """With the reason."""

    async def work(job: Job) -> str:
        with pytest.raises(CommandNotStarted) as failed:
            await job.exec(["no-such-command"])
        return str(failed.value)

    output, _ = await at.ended(work)
    assert isinstance(output, Ok)
    assert "can't start 'no-such-command': there is no such command on the PATH" in output.value


async def test_a_folder_that_is_not_there_is_named(at: At) -> None:
    async def work(job: Job) -> str:
        with pytest.raises(CommandNotStarted) as failed:
            await job.exec(["true"], cwd="/no/such/folder")
        return str(failed.value)

    output, _ = await at.ended(work)
    assert isinstance(output, Ok)
    assert "'/no/such/folder'" in output.value


@pytest.mark.every_place
async def test_secrets_are_masked_and_in_no_list_of_processes(at: At) -> None:
    """Neither in the environment of a command nor in its input."""
    secret = f"hunter2-{uuid.uuid4().hex}"

    async def work(job: Job) -> str:
        job.secret(secret)
        script = 'read -r given; ps -ef; echo "$given $SECRET"'
        await job.exec(["sh", "-c", script], stdin=f"{secret}\n", env={"SECRET": secret})
        return "done"

    output, log = await at.ended(work)
    assert output == Ok("done")
    assert secret not in log
    assert log.count("****") == 2


async def test_what_a_command_leaves_behind_is_ended(at: At) -> None:
    """Also in a session of its own; the log names it."""
    mark = uuid.uuid4().hex

    async def work(job: Job) -> None:
        await job.exec(["sh", "-c", "setsid sleep 1000 & echo started"], env={"MARK": mark})

    output, log = await at.ended(work)
    assert output == Ok("done")
    assert marked(mark) == []
    assert "that it left behind: " in log


@pytest.mark.every_place
async def test_cancelling_ends_the_tree(at: At, tmp_path: Path) -> None:
    """Also of one that ignores SIGTERM, in sessions of their own; it is over when the job is."""
    mark, begun = uuid.uuid4().hex, tmp_path / "begun"
    script = 'trap "" TERM; setsid sh -c "trap \'\' TERM; sleep 1000" & touch "$0"; sleep 1000'

    async def work(job: Job) -> str:
        await started(job, at.pool)
        await job.exec(["sh", "-c", script, begun], env={"MARK": mark}, grace=0.2)
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(begun.exists, timeout=30)
        h.find("do a").cancel("enough")
        await h.until(lambda: isinstance(h.output, Failed), timeout=30)
        assert h.output == Failed("Cancelled: enough")
        assert marked(mark) == []


async def test_a_job_that_takes_too_long_is_ended(at: At, tmp_path: Path) -> None:
    """By the engine's clock."""
    mark, begun = uuid.uuid4().hex, tmp_path / "begun"

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=at.pool, timeout=5)
        await job.exec(["sh", "-c", 'touch "$0"; sleep 1000', begun], env={"MARK": mark})
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(begun.exists, timeout=30)
        await h.advance(timedelta(seconds=6))
        await h.until(lambda: isinstance(h.output, Failed), timeout=30)
        assert h.output == Failed("Timed out after 5 s")
        assert marked(mark) == []


async def test_hooks_run_commands_at_the_place(at: At, tmp_path: Path) -> None:
    """They tidy up where the work was done, after its end."""
    done = tmp_path / "done"

    async def work(job: Job) -> str:
        async def tidy() -> None:
            await job.exec(["sh", "-c", 'echo "tidies up"; touch "$0"', done])

        job.on_cancel(tidy)
        await job.exec(["echo", "works"])
        return "done"

    output, log = await at.ended(work)
    assert output == Ok("done")
    assert printed(log) == ["works", "tidies up"]
    assert done.exists()


async def test_commands_run_at_the_same_time(at: At) -> None:
    """Two of a job wait for each other."""

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.exec(["mkfifo", "there", "back"], cwd=folder)
            one, other = "echo a > there; cat back", "cat there; echo b > back"
            async with asyncio.TaskGroup() as group:
                first = group.create_task(job.check_output(["sh", "-c", one], cwd=folder))
                second = group.create_task(job.check_output(["sh", "-c", other], cwd=folder))
            return first.result() + second.result()

    assert (await at.ended(work))[0] == Ok("b\na\n")


@pytest.mark.every_place
async def test_a_long_output_arrives_byte_for_byte(at: At) -> None:
    """Ten million bytes."""
    script = (
        "i=0; while [ $i -lt 200 ]; do"
        " head -c 50000 /dev/zero | tr '\\0' $((i % 10)); echo; i=$((i + 1)); done"
    )

    async def work(job: Job) -> None:
        await job.exec(["sh", "-c", script])

    output, log = await at.ended(work)
    assert output == Ok("done")
    assert printed(log) == [str(n % 10) * 50_000 for n in range(200)]


async def test_output_arrives_while_the_command_runs(at: At, tmp_path: Path) -> None:
    """A line is in the log before the command has ended."""
    gate = tmp_path / "gate"

    async def work(job: Job) -> str:
        await started(job, at.pool)
        await job.exec(["sh", "-c", 'echo first; while [ ! -e "$0" ]; do sleep 0.05; done', gate])
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "first" in printed(h.log("do a")), timeout=30)
        gate.touch()
        await h.until(lambda: h.output == Ok("done"), timeout=30)


async def test_a_job_leaves_nothing(at: At, home: Path) -> None:
    """Neither folders nor processes, when it has ended."""

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.exec(["touch", folder / "file"])
        if at.pool is not None:
            await job.exec(["touch", "in-the-working-directory"])
        return "done"

    output, _ = await at.ended(work)
    assert output == Ok("done")
    assert list(home.glob(".cache/pycurrent/run/*")) == []


async def test_many_jobs_share_a_place(at: At, tmp_path: Path) -> None:
    """Eight at four at a time: each gets its own output."""

    async def work(job: Job) -> str:
        await started(job, at.pool)
        return await job.check_output(["echo", job.description])

    keys = [f"k{number}" for number in range(8)]

    def pipeline() -> Current[None]:
        return all_of({key: do(work, key) for key in keys})

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert isinstance(h.output, Ok)


@pytest.mark.every_place
async def test_two_engines_share_a_place(at: At, tmp_path: Path) -> None:
    """At the same time, with the same work: neither sees anything of the other."""
    met = asyncio.Barrier(2)

    async def work(job: Job) -> str:
        await started(job, at.pool)
        async with job.tempdir("own-") as folder:
            await job.exec(["sh", "-c", f"echo {job.id} > {folder}/id"])
            await met.wait()
            found = await job.check_output(["sh", "-c", f"ls {folder}; cat {folder}/id"])
        assert found == f"id\n{job.id}\n"
        return "done"

    async with (
        Harness(lambda: do(work), state_dir=tmp_path / "one") as one_engine,
        Harness(lambda: do(work), state_dir=tmp_path / "other") as other_engine,
    ):
        both = (one_engine, other_engine)
        await one_engine.until(
            lambda: all(isinstance(h.output, Ok | Failed) for h in both), timeout=60
        )
        assert [h.output for h in both] == [Ok("done"), Ok("done")]


async def test_a_thousand_wait_for_a_place(at: At, tmp_path: Path) -> None:
    """Some run, one after the other; the rest is dropped before it has begun, and runs nowhere."""
    pool = Pool("here", 2) if at.pool is None else at.pool
    wanted, dropped = Var("wanted", 1000), asyncio.Event()
    ran: list[str] = []

    async def work(job: Job) -> str:
        await started(job, pool)
        ran.append(job.description)
        if len(ran) > 2:
            await dropped.wait()
        return await job.check_output(["echo", job.description])

    def pipeline() -> Current[None]:
        return wanted.get().bind(
            lambda many: all_of([do(work, f"k{number}") for number in range(many)])
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: len(ran) > 2, timeout=60)
        wanted.set(4)
        dropped.set()
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert h.output == Ok(None)
        assert len(ran) < 100


@pytest.mark.every_place
async def test_the_record_says_where_it_ran_and_what_it_used(at: At) -> None:
    """The time of its commands together, and the memory of the largest of their processes; nothing
    of what carries them there.
    """
    uses = "import time; x = b'x' * (64 << 20)\nwhile time.process_time() < 0.3: pass"

    async def work(job: Job) -> None:
        await job.exec(["python3", "-c", uses])
        await job.exec(["sh", "-c", 'python3 -c "$0"; true', uses.replace("64", "32")])

    entry = await at.recorded(work)
    assert entry.cpu is not None
    assert entry.memory is not None
    assert 0.6 <= entry.cpu.total_seconds() < 2
    assert 64 << 20 <= entry.memory < 120 << 20
    assert (entry.ran_at is None) == (at.pool is None)
    assert entry.pool == (None if at.pool is None else at.pool.label)


async def test_the_record_of_a_job_without_commands_says_where_it_was(at: At) -> None:
    """If that was at a place; else there is nothing to say."""

    async def work(job: Job) -> None:
        job.log("thinks")

    entry = await at.recorded(work)
    assert (entry.cpu, entry.memory) == (None, None)
    assert (entry.ran_at is None) == (at.pool is None)
