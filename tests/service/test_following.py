"""Logs as they grow."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Current, Job, Level, builder
from pycurrent.service import LogEnd, LogWindow, NoSuchJob

from .live import Seen, seen

FOLLOWERS = 200


class Printer:
    """A job that prints what the test has it print."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self._end: asyncio.Future[str] | None = None

    def pipeline(self) -> Current[str]:
        @builder("printer", level=Level.HARMLESS)
        async def printer(job: Job) -> str:
            self.job = job
            self._end = asyncio.get_running_loop().create_future()
            return await self._end

        return printer()

    def write(self, text: str) -> None:
        assert self.job is not None
        self.job.write(text)

    def end(self) -> None:
        assert self._end is not None
        self._end.set_result("done")


class Reader:
    """What a page shows of a log that it follows."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self.ended = False
        self.parts = 0

    def take(self, news: LogWindow | LogEnd) -> None:
        if isinstance(news, LogEnd):
            self.ended = True
            return
        self.parts += 1
        for number, line in enumerate(news.lines, news.first):
            self.lines[number] = line.text

    @property
    def text(self) -> str:
        assert list(self.lines) == sorted(self.lines)
        return "".join([f"{line}\n" for line in self.lines.values()])

    async def follow(self, s: Seen, job_id: str, first: int = 0) -> None:
        async with asyncio.timeout(30), aclosing(s.service.logs.follow(job_id, first)) as news:
            async for one in news:
                self.take(one)


async def until(news: AsyncGenerator[LogWindow | LogEnd, None], last: str) -> LogWindow:
    """Up to the window that ends with this line."""
    async with asyncio.timeout(10):
        async for window in news:
            assert isinstance(window, LogWindow)
            if window.lines[-1].text == last:
                return window
    raise AssertionError(f"it ended without {last!r}")


async def test_lines_are_told_as_they_are_written(tmp_path: Path) -> None:
    """One that has not ended too, and again when it has changed."""
    printer = Printer()
    async with (
        seen(printer.pipeline, tmp_path) as s,
        aclosing(s.service.logs.follow(s.job("printer"), 0)) as news,
    ):
        await until(news, "2026-01-01 00:00.00: New job: printer")
        printer.write("10 %")
        assert (await until(news, "10 %")).next == 1
        printer.write("\r50 %")
        assert (await until(news, "50 %")).first == 1
        printer.write("\ndone\n")
        window = await until(news, "done")
        assert [line.text for line in window.lines] == ["50 %", "done"]
        printer.end()
        await until(news, "2026-01-01 00:00.00: Job succeeded")
        assert isinstance(await anext(news), LogEnd)


async def test_who_comes_back_goes_on_at_a_line(tmp_path: Path) -> None:
    """Without a gap, and without what it has."""
    printer = Printer()
    async with seen(printer.pipeline, tmp_path) as s:
        job = s.job("printer")
        printer.write("".join([f"line {n}\n" for n in range(2000)]))
        first = Reader()
        async with aclosing(s.service.logs.follow(job, 0)) as news:
            window = await anext(news)
            first.take(window)
        assert isinstance(window, LogWindow)
        printer.end()
        await first.follow(s, job, window.next)
        assert first.text == s.harness.log("printer")


async def test_many_followers_of_a_growing_log_lose_nothing(tmp_path: Path) -> None:
    """Each sees all of it; they share one watch, and read together."""
    printer = Printer()
    readers = [Reader() for _ in range(FOLLOWERS)]
    async with seen(printer.pipeline, tmp_path) as s:
        job = s.job("printer")
        following = [asyncio.create_task(reader.follow(s, job)) for reader in readers]
        for burst in range(20):
            printer.write("".join([f"burst {burst} line {n}\n" for n in range(100)]))
            await asyncio.sleep(0.01)
        printer.end()
        await asyncio.gather(*following)
        text = s.harness.log("printer")
        assert text.count("\n") == 2 + 20 * 100
        assert {reader.text == text for reader in readers} == {True}
        assert {reader.ended for reader in readers} == {True}


async def test_a_log_whose_job_has_ended_is_told_to_its_end(tmp_path: Path) -> None:
    """It does not wait for more."""
    printer = Printer()
    async with seen(printer.pipeline, tmp_path) as s:
        job = s.job("printer")
        printer.end()
        await s.settle()
        reader = Reader()
        await reader.follow(s, job)
        assert (reader.text, reader.ended) == (s.harness.log("printer"), True)


async def test_the_end_of_the_service_lets_followers_go(tmp_path: Path) -> None:
    """The job has not ended, so they are not told that it has: they come back later."""
    printer = Printer()
    async with seen(printer.pipeline, tmp_path) as s:
        reader = Reader()
        following = asyncio.create_task(reader.follow(s, s.job("printer")))
        await s.harness.until(lambda: reader.parts)
        s.service.close()
        await following
        assert not reader.ended
        late = Reader()
        await late.follow(s, s.job("printer"))
        assert late.lines == {}


async def test_looking_at_a_part_does_not_keep_news_from_followers(tmp_path: Path) -> None:
    """Both extend the index of the log."""
    printer = Printer()
    async with seen(printer.pipeline, tmp_path) as s:
        job = s.job("printer")
        async with aclosing(s.service.logs.follow(job, 0)) as news:
            await anext(news)
            printer.write("news\n")
            window = await s.service.logs.window(job, None, 1)
            assert window.lines[-1].text == "news"
            await until(news, "news")


async def test_a_log_that_is_not_there_can_not_be_followed(tmp_path: Path) -> None:
    """An old one may have been removed."""
    async with seen(lambda: current.constant(1), tmp_path) as s:
        with pytest.raises(NoSuchJob):
            await anext(s.service.logs.follow("2026-11-22/084703-door-1a2b3c", 0))
