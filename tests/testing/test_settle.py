"""What `Harness.settle` waits for, and what it does not wait for."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Active, Activity, Builder, Current, Failed, Job, Level, Monitor, Ok, Var
from pycurrent.testing import Harness, VirtualClock

RUNNING = Active(Activity.RUNNING)


class Doing(Builder[str, str]):
    """A builder that does what the test says."""

    id = "do"

    def __init__(self, what: Callable[[Job], object]) -> None:
        self.what = what

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        result = self.what(job)
        if asyncio.iscoroutine(result) or asyncio.isfuture(result):
            result = await result
        return str(result)


def doing(what: Callable[[Job], object]) -> Callable[[], Current[str]]:
    builder = Doing(what)
    return lambda: current.component("do", lambda: builder.get("a"))


@asynccontextmanager
async def unwatched(refresh: Callable[[], None]) -> AsyncIterator[None]:
    yield


async def quickly(harness: Harness) -> None:
    """Settle, and make sure that to see it is settled takes no waiting.

    The best of several, as the machine may be busy; the shortest wait would be 60 ms.
    """
    await harness.settle()
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        await harness.settle()
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.05, "it has waited for something"


# What it waits for


async def test_a_job_goes_on_to_its_end(tmp_path: Path) -> None:
    """However often the event loop has to go round for it."""

    async def many_turns() -> str:
        for _ in range(1000):
            await asyncio.sleep(0)
        return "done"

    async with Harness(doing(lambda job: many_turns()), state_dir=tmp_path) as h:
        await quickly(h)
        assert h.output == Ok("done")


async def test_threads_are_waited_for(tmp_path: Path) -> None:
    """All calls of to_thread that a job makes, also one after the other."""

    async def think() -> float:
        return sum([await asyncio.to_thread(abs, -1.0) for _ in range(200)])

    async with Harness(doing(lambda job: think()), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("200.0")


async def test_commands_are_waited_for(tmp_path: Path) -> None:
    """Also where they sleep, one after the other."""

    async def commands(job: Job) -> str:
        await job.exec(["sleep", "0.15"])
        return await job.check_output(["sh", "-c", "sleep 0.15; echo done"])

    async with Harness(doing(commands), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("done\n")


async def test_a_process_of_the_jobs_own_is_waited_for(tmp_path: Path) -> None:
    """One that was started through asyncio, and not through the job."""

    async def run() -> int | None:
        process = await asyncio.create_subprocess_exec("sleep", "0.3")
        return await process.wait()

    async with Harness(doing(lambda job: run()), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("0")


async def test_a_short_sleep_is_waited_for(tmp_path: Path) -> None:
    """In real time, as the event loop's own timers don't follow the virtual clock."""

    async def nap() -> str:
        await asyncio.sleep(0.2)
        return "rested"

    async with Harness(doing(lambda job: nap()), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("rested")


async def test_a_timeout_of_a_job_is_waited_for(tmp_path: Path) -> None:
    """asyncio.timeout and wait_for end the wait for something that doesn't come."""

    async def give_up() -> str:
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.1)
        except TimeoutError:
            async with asyncio.timeout(0.1):
                await asyncio.Event().wait()
        return "never"

    async with Harness(doing(lambda job: give_up()), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Failed("TimeoutError")


async def test_a_read_of_a_monitor_is_waited_for(tmp_path: Path) -> None:
    """Also one that takes its time in a thread."""
    monitor: Monitor[None] = Monitor(
        read=lambda: asyncio.to_thread(time.sleep, 0.1), watch=unwatched
    )
    async with Harness(lambda: current.component("m", monitor.get), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok(None)


async def test_sockets_are_waited_for(tmp_path: Path) -> None:
    """A job may talk to a server of the test."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(20):
            writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()

    async def talk() -> str:
        reader, writer = await asyncio.open_connection(host, port)
        for number in range(20):
            writer.write(f"{number}\n".encode())
            line = await reader.readline()
        writer.close()
        return line.decode()

    async with server, Harness(doing(lambda job: talk()), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("19\n")


# What it does not wait for


async def test_what_the_test_has_to_do_is_not_waited_for(tmp_path: Path) -> None:
    """A job that waits for a future of the test's costs no time at all."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with Harness(doing(lambda job: answer), state_dir=tmp_path) as h:
        await quickly(h)
        assert h.output == RUNNING
        answer.set_result("yes")
        await quickly(h)
        assert h.output == Ok("yes")


async def test_a_read_that_waits_for_the_test_is_not_waited_for(tmp_path: Path) -> None:
    """As with jobs."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    monitor: Monitor[str] = Monitor(read=lambda: answer, watch=unwatched)
    async with Harness(lambda: current.component("m", monitor.get), state_dir=tmp_path) as h:
        await quickly(h)
        assert h.output == RUNNING
        answer.set_result("yes")
        await quickly(h)
        assert h.output == Ok("yes")


async def test_the_virtual_clock_is_not_waited_for(tmp_path: Path) -> None:
    """Time goes on with `advance`, which settles."""

    async def nap(h: Harness) -> str:
        await h.clock.sleep(timedelta(hours=1))
        return h.clock.now().isoformat()

    async with Harness(
        doing(lambda job: nap(h)), state_dir=tmp_path, start=datetime(2030, 1, 1, tzinfo=UTC)
    ) as h:
        await quickly(h)
        await h.advance(timedelta(minutes=59))
        assert h.output == RUNNING
        await h.advance(timedelta(minutes=1))
        assert h.output == Ok("2030-01-01T01:00:00+00:00")


async def test_confirmation_is_not_waited_for(tmp_path: Path) -> None:
    """A person has to give it."""
    config = current.Config(confirm=Level.HARMLESS)
    async with Harness(doing(lambda job: "done"), state_dir=tmp_path, config=config) as h:
        await quickly(h)
        assert h.output == Active(Activity.WAITING_FOR_CONFIRMATION)
        h.find("do a").approve()
        await quickly(h)
        assert h.output == Ok("done")


async def test_a_long_sleep_is_not_waited_for(tmp_path: Path) -> None:
    """Nor is the timeout that the test has set for itself."""
    async with Harness(doing(lambda job: asyncio.sleep(3600)), state_dir=tmp_path) as h:
        async with asyncio.timeout(0.5):
            await quickly(h)
        assert h.output == RUNNING


async def test_a_command_that_sleeps_is_waited_for_with_patience(tmp_path: Path) -> None:
    """Nobody can know what a command waits for, so the test may say how long is enough."""
    async with Harness(doing(lambda job: job.exec(["sleep", "1000"])), state_dir=tmp_path) as h:
        await h.settle(patience=0.1)
        assert h.output == RUNNING
        h.find("do a").cancel("enough")
        await h.settle()
        assert h.output == Failed("Cancelled: enough")


async def test_a_command_at_work_is_waited_for_beyond_patience(tmp_path: Path) -> None:
    """It prints nothing for longer than the patience, but it uses the processor."""
    script = "import time\nend = time.monotonic() + 0.6\nwhile time.monotonic() < end: pass"
    async with Harness(
        doing(lambda job: job.exec(["python3", "-c", script])), state_dir=tmp_path
    ) as h:
        await h.settle(patience=0.2)
        assert h.output == Ok("None")


async def test_a_command_that_serves_others_is_left(tmp_path: Path) -> None:
    """It runs as long as they may need it, and so does what it has started."""
    argv = ["sh", "-c", "while :; do :; done & while :; do :; done"]
    async with Harness(doing(lambda job: job.exec(["sleep", "1000"])), state_dir=tmp_path) as h:
        with Path(os.devnull).open("r+b") as null:
            file = null.fileno()
            await h.engine.opened.processes.start(
                argv, cwd=None, env=None, stdin=file, stdout=file, stderr=file, serves=True
            )
        async with asyncio.timeout(20):
            await h.settle(patience=0.2)
        assert h.output == RUNNING


async def test_a_thread_that_waits_for_the_test_is_left(tmp_path: Path) -> None:
    """As with a command that sleeps."""
    event = threading.Event()
    async with Harness(doing(lambda job: asyncio.to_thread(event.wait)), state_dir=tmp_path) as h:
        await h.settle(patience=0.1)
        assert h.output == RUNNING
        event.set()
        await h.settle()
        assert h.output == Ok("True")


async def test_a_job_that_polls_is_left_in_the_end(tmp_path: Path) -> None:
    """It would never settle, and nothing but its polling can be seen."""
    ready: list[str] = []

    async def poll() -> str:
        while not ready:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return ready[0]

    async with Harness(doing(lambda job: poll()), state_dir=tmp_path) as h:
        await h.settle(patience=0.2)
        assert h.output == RUNNING
        ready.append("now")
        await h.settle()
        assert h.output == Ok("now")


# The rest of the harness


async def test_until_waits_for_a_condition_and_no_longer(tmp_path: Path) -> None:
    """It sees a command at work that would not end."""
    async with Harness(
        doing(lambda job: job.exec(["sh", "-c", "echo begun; sleep 1000"])), state_dir=tmp_path
    ) as h:
        # The log tells of the command before it has begun.
        await h.until(lambda: "\nbegun\n" in h.log("do a"))
        assert h.output == RUNNING


async def test_until_says_what_it_sees_when_it_gives_up(tmp_path: Path) -> None:
    """With the output and the stages at that time."""
    async with Harness(lambda: current.constant(1), state_dir=tmp_path) as h:
        with pytest.raises(TimeoutError, match=r"within 0 s; the output is Ok\(value=1\)"):
            await h.until(lambda: False, timeout=0)


async def test_what_stops_the_engine_is_raised(tmp_path: Path) -> None:
    """By `settle`, and at the end, so that no test can overlook it."""
    harness = Harness(lambda: current.constant(1), state_dir=tmp_path)
    await harness.__aenter__()
    harness.engine.opened.crash(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await harness.settle()
    with pytest.raises(ZeroDivisionError):
        await harness.__aexit__(None, None, None)
    assert not harness.is_open


async def test_two_harnesses_on_one_loop_see_each_others_threads(tmp_path: Path) -> None:
    """They share the loop's threads, so each settles when both have."""
    with_one = Harness(doing(lambda job: asyncio.to_thread(time.sleep, 0.1)), state_dir=tmp_path)
    other_var = Var("x", 1)
    async with with_one as one, Harness(other_var.get, state_dir=tmp_path / "other") as other:
        await one.settle()
        await other.settle()
        assert (one.output, other.output) == (Ok("None"), Ok(1))


async def test_find_names_the_jobs_that_there_are(tmp_path: Path) -> None:
    """Where none is meant, or several."""
    async with Harness(doing(lambda job: "x"), state_dir=tmp_path) as h:
        await h.settle()
        assert h.find("do a").id == h.find("a").id
        with pytest.raises(LookupError, match=r"0 jobs are described by 'frob'; jobs: 'do a'"):
            h.find("frob")


# The clock


async def test_timers_are_called_in_their_order_after_one_jump() -> None:
    """Each sees the time at the end of the jump; equal times in the order of the calls."""
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
    seen: list[tuple[str, datetime]] = []
    start = clock.now()
    for name, seconds in (("c", 3), ("a", 1), ("b", 1), ("late", 9)):
        when = start + timedelta(seconds=seconds)
        clock.call_at(when, lambda name=name: seen.append((name, clock.now())))  # type: ignore[misc]
    clock.move(timedelta(seconds=5))
    await asyncio.sleep(0)
    end = start + timedelta(seconds=5)
    assert seen == [("a", end), ("b", end), ("c", end)]
    assert clock.next_timer == start + timedelta(seconds=9)


async def test_a_cancelled_timer_is_not_called() -> None:
    """Before it is due, and between the jump and the call."""
    clock = VirtualClock()
    seen: list[str] = []
    early = clock.call_at(clock.now() + timedelta(seconds=1), lambda: seen.append("early"))
    late = clock.call_at(clock.now() + timedelta(seconds=1), lambda: seen.append("late"))
    early.cancel()
    clock.move(timedelta(seconds=1))
    late.cancel()
    await asyncio.sleep(0)
    assert seen == []
    assert clock.next_timer is None


def test_time_goes_forward_only() -> None:
    """And a start without a time zone is in UTC."""
    clock = VirtualClock(datetime(2030, 1, 1))
    assert clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="forward"):
        clock.move(timedelta(seconds=-1))
