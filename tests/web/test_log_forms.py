"""Each reader of logs gives the same for a log in a row of the database as for one in a file."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from pycurrent import Config, Current, Job, Level, LogRule, builder
from pycurrent.engine.follow import follow, watch_log
from pycurrent.errors import UsageError
from pycurrent.service import LogEnd, LogQuery, NoSuchJob, Records
from pycurrent.term import Failed, Failure

from .api import API, Api, api_of

STAMP = "2026-01-01 00:00.00: "
BEGUN = [
    "New job: work",
    "Waiting for confirmation: the level is average",
    "Confirmed",
]
FORMS = pytest.mark.parametrize("form", ["row", "file"])


class Work:
    """A job that writes nothing itself; it may ask for the file of its log."""

    def __init__(self, form: str) -> None:
        self.end = asyncio.Event()

        @builder("work", level=Level.AVERAGE)
        async def work(job: Job) -> str:
            if form == "file":
                assert job.log_path.exists()
            await self.end.wait()
            raise Failure("disk 7 is full")

        self.pipeline: Callable[[], Current[str]] = work


@asynccontextmanager
async def at_work(form: str, state_dir: Path) -> AsyncIterator[tuple[Api, Work]]:
    work = Work(form)
    async with api_of(work.pipeline, state_dir, config=Config(confirm=Level.HARMLESS)) as api:
        api.harness.find("work").approve()
        await api.harness.settle()
        yield api, work


async def _handle(api: Api, job: str) -> str:
    return api.harness.find("work").log_text()


async def _parts(api: Api, job: str) -> str:
    size, data = api.service.logs.size(job), b""
    while len(data) < size:
        part = await api.service.logs.part(job, len(data), 7)
        assert (part.offset, part.size) == (len(data), size)
        data += part.data
    return data.decode()


async def _windows(api: Api, job: str) -> str:
    lines: list[str] = []
    while True:
        window = await api.service.logs.window(job, len(lines), 2)
        lines += [line.text for line in window.lines]
        if len(lines) == window.total:
            return "".join([f"{line}\n" for line in lines])


async def _search(api: Api, job: str) -> str:
    found = await api.service.logs.search(job, LogQuery("2026"))
    return "".join([f"{match.line.text}\n" for match in found.matches])


async def _records(api: Api, job: str) -> str:
    with Records.open(api.service.state_dir()) as records:
        assert records.find_job("last") == job
        assert records.find_job(job[-6:]) == records.find_job(job) == job
        return records.log(job).text()


async def _downloaded(api: Api, job: str) -> str:
    detail = await api.get(f"/jobs/{job}")
    answer = await api.client.get(f"{API}/jobs/{job}/log")
    assert len(answer.content) == detail["log_size"]
    return answer.text


async def _ranges(api: Api, job: str) -> str:
    path, half = f"{API}/jobs/{job}/log", {"Range": "bytes=0-19"}
    first = await api.client.get(path, headers=half)
    rest = await api.client.get(path, headers={"Range": "bytes=20-"})
    return first.text + rest.text


READERS = (_handle, _parts, _windows, _search, _records, _downloaded, _ranges)
READER = pytest.mark.parametrize("read", READERS, ids=[read.__name__[1:] for read in READERS])
Reader = Callable[[Api, str], Awaitable[str]]


def _text(*lines: str) -> str:
    return "".join([f"{STAMP}{line}\n" for line in lines])


def _is_file(api: Api, job: str) -> bool:
    return api.service.engine.state.job_path(job).exists()


@FORMS
@READER
async def test_each_reader_gives_all_of_a_log(form: str, read: Reader, tmp_path: Path) -> None:
    """While the job is at work, once it has ended, and after a restart."""
    async with at_work(form, tmp_path) as (api, work):
        job = api.job("work")
        assert await read(api, job) == _text(*BEGUN)
        work.end.set()
        await api.harness.settle()
        ended = _text(*BEGUN, "Job failed: disk 7 is full")
        assert await read(api, job) == ended
        assert _is_file(api, job) == (form == "file")
        handle = api.harness.find("work")
    assert handle.log_text() == ended
    async with api_of(Work(form).pipeline, tmp_path) as api:
        assert await read(api, job) == ended
        assert api.job("work") == job


@FORMS
async def test_followers_see_each_line_of_either_form(form: str, tmp_path: Path) -> None:
    """In this process, and in another one, which reads what is recorded."""
    async with at_work(form, tmp_path) as (api, work):
        job = api.job("work")
        with Records.open(tmp_path) as records:
            log = records.log(job)
            recorded: list[bytes] = []

            async def read() -> None:
                is_over = lambda: not records.is_running(job)  # noqa: E731
                async with watch_log(log, recheck=0.01) as changed:
                    following = follow(log, ended=is_over, changed=changed)
                    recorded.extend([block async for block in following])

            reading = asyncio.create_task(read())
            lines: dict[int, str] = {}
            async with aclosing(api.service.logs.follow(job, 0)) as news:
                async for window in news:
                    if isinstance(window, LogEnd):
                        break
                    lines.update(enumerate([line.text for line in window.lines], window.first))
                    work.end.set()
            async with asyncio.timeout(10):
                await reading
        expected = _text(*BEGUN, "Job failed: disk 7 is full")
        assert "".join([f"{line}\n" for line in lines.values()]) == expected
        assert b"".join(recorded).decode() == expected


@FORMS
async def test_log_rules_look_through_either_form(form: str, tmp_path: Path) -> None:
    """At the end of a job, and when one is tried on what has failed before."""
    async with at_work(form, tmp_path) as (api, work):
        rule = LogRule(r"disk (\d) is full", r"no room on \1", 1)
        api.service.engine.log_rules.add(rule)
        work.end.set()
        await api.harness.settle()
        assert api.harness.output == Failed("no room on 7")
        (tried,) = (await api.service.rules.try_out(rule, limit=1)).tried
        assert tried.report == "no room on 7"


async def test_a_log_becomes_a_file_while_it_is_read(tmp_path: Path) -> None:
    """Who has begun to read it goes on with the file."""
    async with at_work("row", tmp_path) as (api, work):
        job = api.job("work")
        source = api.service.logs.source(job)
        with Records.open(tmp_path) as records:
            recorded = records.log(job)
            assert source.text() == recorded.text() == _text(*BEGUN)
            running = api.harness.find("work").job
            assert running is not None
            running.log("to the file")
            for log in (source, recorded):
                assert log.text() == _text(*BEGUN, "to the file")
            assert (await _windows(api, job)) == source.text()
        work.end.set()
        await api.harness.settle()
        ended = _text(*BEGUN, "to the file", "Job failed: disk 7 is full")
        assert source.text() == ended
        with Records.open(tmp_path) as records:
            assert records.log(job).text() == ended


async def test_the_log_of_a_job_that_is_gone_is_not_there(tmp_path: Path) -> None:
    """Nor is that of one that never was."""
    async with at_work("row", tmp_path) as (api, _):
        for job in ("2026-01-01/000000-work-abcdef", "../x", "x\0y"):
            with pytest.raises(NoSuchJob):
                api.service.logs.source(job)
        with Records.open(tmp_path) as records, pytest.raises(UsageError):
            records.log("2026-01-01/000000-work-abcdef")
