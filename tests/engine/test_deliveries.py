"""The deliveries of webhooks: noted before they are answered, and their work done once."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Failure, FailureKind
from pycurrent.engine.commits import RETRY
from pycurrent.engine.deliveries import Deliveries, DueWork, NotNoted
from pycurrent.testing import Harness

FullDisk = Callable[[], AbstractContextManager[None]]
FORGE = "https://forge.example.org"


def engine(folder: Path) -> Harness:
    return Harness(lambda: current.constant(1), state_dir=folder)


class Done:
    """Does work, and keeps what it has done."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failures: list[Exception] = []
        """What the next ones fail with."""
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, due: DueWork) -> None:
        await self.may_end.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.texts.append(due.text)


def served(h: Harness, done: Done) -> Deliveries:
    deliveries = h.engine.service(Deliveries)
    deliveries.serve(FORGE, done)
    return deliveries


async def note(deliveries: Deliveries, id: str, work: str | None = None) -> bool:
    return await deliveries.note(FORGE, id, event="push", work=work)


async def test_a_delivery_is_new_once(tmp_path: Path) -> None:
    """Also among those that come together, and after a restart."""
    async with engine(tmp_path) as h:
        deliveries = served(h, Done())
        assert await note(deliveries, "d-1")
        assert not await note(deliveries, "d-1")
        assert sorted(await asyncio.gather(*(note(deliveries, "d-2") for _ in range(3)))) == [
            False,
            False,
            True,
        ]
    async with engine(tmp_path) as h:
        assert not await note(served(h, Done()), "d-1")


async def test_work_is_done_in_order_and_once(tmp_path: Path) -> None:
    """Also what an engine has left that was killed as soon as it had answered."""
    done = Done()
    async with engine(tmp_path / "whole") as h:
        deliveries = served(h, done)
        for number in range(3):
            await note(deliveries, f"d-{number}", f"work {number}")
        await h.until(lambda: deliveries.unfinished == 0)
        done.may_end.clear()
        await note(deliveries, "d-3", "work 3")
        await note(deliveries, "d-4", "work 4")
        assert deliveries.unfinished == 2
        shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    assert done.texts == ["work 0", "work 1", "work 2"]
    done.may_end.set()
    async with engine(tmp_path / "killed") as h:
        deliveries = served(h, done)
        served(h, done)
        await h.until(lambda: deliveries.unfinished == 0)
        await h.settle()
    assert done.texts == [f"work {number}" for number in range(5)]
    async with engine(tmp_path / "killed") as h:
        assert served(h, done).unfinished == 0


async def test_work_goes_on_from_how_far_it_has_come(tmp_path: Path) -> None:
    """As it was noted by an engine that was killed."""
    seen = []

    async def step(due: DueWork) -> None:
        seen.append(due.text)
        if due.text == "first":
            due.note("second")
            h.engine.opened.commits.commit()
            await asyncio.Event().wait()

    async with engine(tmp_path) as h:
        deliveries = h.engine.service(Deliveries)
        deliveries.serve(FORGE, step)
        await note(deliveries, "d-1", "first")
        await h.until(lambda: seen == ["first"])
    async with engine(tmp_path) as h:
        deliveries = h.engine.service(Deliveries)
        deliveries.serve(FORGE, step)
        await h.until(lambda: deliveries.unfinished == 0)
    assert seen == ["first", "second"]


async def test_failures_that_may_pass_are_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Later and later, and for an hour at most; others end the work at once. The log says so."""
    done = Done()
    async with engine(tmp_path) as h:
        deliveries = served(h, done)
        done.failures = [Failure("it is away", kind=FailureKind.INFRA) for _ in range(2)]
        await note(deliveries, "d-1", "one")
        await h.until(lambda: h.clock.next_timer is not None)
        await h.advance(timedelta(seconds=10))
        assert done.texts == []
        await h.advance(timedelta(seconds=20))
        assert done.texts == ["one"]
        done.failures = [ValueError("a bug")]
        await note(deliveries, "d-2", "two")
        await h.until(lambda: deliveries.unfinished == 0)
        done.failures = [Failure("it is away", kind=FailureKind.INFRA) for _ in range(10)]
        await note(deliveries, "d-3", "three")
        await h.until(lambda: h.clock.next_timer is not None)
        await h.advance(timedelta(hours=1))
        assert deliveries.unfinished == 0
        assert done.texts == ["one"]
    assert "the work of the delivery d-2 from https://forge.example.org has failed" in caplog.text
    assert caplog.text.count("is tried again in") == 2 + 9


async def test_work_that_fails_just_as_the_engine_ends_is_not_waited_for(tmp_path: Path) -> None:
    """Gathered work tells then that it has failed, not that it was cancelled."""
    begun, outage = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def ask_twice(due: DueWork) -> None:
        begun.set()
        await asyncio.gather(outage, asyncio.get_running_loop().create_future())

    async with engine(tmp_path) as h:
        deliveries = h.engine.service(Deliveries)
        deliveries.serve(FORGE, ask_twice)
        await note(deliveries, "d-1", "work 1")
        await begun.wait()
        outage.set_exception(Failure("the forge is away", kind=FailureKind.INFRA))
        async with asyncio.timeout(10):
            await deliveries.aclose()
        assert deliveries.unfinished == 1


async def test_what_can_t_be_written_is_not_noted(tmp_path: Path, full_disk: FullDisk) -> None:
    """Its sender is told soon. Once there is room it may be known, and then its work is done."""
    done = Done()
    async with engine(tmp_path) as h:
        deliveries = served(h, done)
        with full_disk():
            for id in ("d-1", "d-1", "d-2"):
                with pytest.raises(NotNoted, match="can't be recorded now"):
                    await note(deliveries, id, id)
            assert done.texts == []
        h.clock.move(RETRY)
        await h.until(lambda: h.engine.recorded)
        assert not await note(deliveries, "d-1", "d-1")
        assert await note(deliveries, "d-2", "d-2")
        await h.until(lambda: deliveries.unfinished == 0)
        assert done.texts == ["d-1", "d-2"]


async def test_those_that_come_together_share_a_commit(tmp_path: Path) -> None:
    """A thousand take a few, and each is on disk."""
    async with engine(tmp_path) as h:
        await h.settle()
        deliveries, store = served(h, Done()), h.engine.opened.store
        before = store.written
        noted = await asyncio.gather(*(note(deliveries, f"d-{number}") for number in range(1000)))
        assert all(noted)
        assert store.written - before <= 3


async def test_too_much_work_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender is told so; deliveries that ask for nothing are taken."""
    monkeypatch.setattr("pycurrent.engine.deliveries._MOST", 2)
    done = Done()
    done.may_end.clear()
    async with engine(tmp_path) as h:
        deliveries = served(h, done)
        noted = [note(deliveries, f"d-{number}", "work") for number in range(2)]
        await asyncio.gather(*noted)
        with pytest.raises(NotNoted, match="the work of 2 deliveries"):
            await note(deliveries, "d-3", "work")
        assert await note(deliveries, "d-4")
