"""The pools: who holds what since when, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

import pycurrent as current
from pycurrent import Config, Level, Pool
from pycurrent.engine.pool import AnyPool, QueuePlace, Tickets, Urgency

from ..cli.test_client import Client
from ..engine.machines import Machines
from .api import Tasks, api_of
from .sites import running_site
from .visits import open_site, text_of

MINUTE = timedelta(minutes=1)


def tasks(pool: AnyPool, *keys: str) -> tuple[Tasks, Any]:
    """Jobs of a pool, and a pipeline of them."""
    made = Tasks(pool=pool)
    return made, lambda: current.all([made.stage(key) for key in keys])


async def test_the_page_says_who_holds_a_pool_and_who_waits(tmp_path: Path) -> None:
    """Since when, in which place; and how long that may take, once some have ended."""
    work, pipeline = tasks(Pool("builds <b>", 2), "a", "b", "c", "d", "e")
    async with open_site(tmp_path, pipeline) as site:
        visitor = site.visitor()
        text = text_of(await visitor.get("/pools"))
        assert "builds <b> 2 of 2 in use, 3 waiting Place" in text
        assert text.count("holds it") == 2
        await site.harness.advance(MINUTE)
        work.end("a")
        await site.harness.settle()
        await site.harness.advance(MINUTE)
        pools = (await site.client().get("/api/v1/pools?limit=1")).json()
        (pool,) = pools["pools"]
        assert (pool["used"], pool["holding"], pool["queue"]) == (2, 2, 2)
        assert [one["description"] for one in pool["holders"]] == ["task b"]
        assert [(one["place"], one["expected"]) for one in pool["waiting"]] == [(1, 30.0)]
        text = text_of(await visitor.get("/pools"))
        assert "held for 1 min 00 s as a rule" in text
        assert "1 task d" in text
        assert "2 min 00 s 30 s 2 task e" in text
        for key in "bc":
            work.end(key)
        await site.harness.settle()
        for key in "de":
            work.end(key)
        await site.harness.settle()
        assert "builds <b> 0 of 2 in use, 0 waiting" in text_of(await visitor.get("/pools"))


@pytest.mark.parametrize("pool", [partial(Pool, capacity=1), Machines], ids=["counts", "asks"])
async def test_a_part_of_a_queue_is_listed(pool: Callable[[str], AnyPool], tmp_path: Path) -> None:
    """However long it is, by a number to skip; a pool that nobody uses is not there."""
    _, pipeline = tasks(pool("builds"), *"abcdefgh")
    async with api_of(pipeline, tmp_path) as api:
        await api.harness.settle()
        part = await api.get("/pools/queue", pool="builds", skip=2, limit=3)
        assert part["total"] == 7
        assert [(one["place"], one["description"]) for one in part["waiting"]] == [
            (3, "task d"),
            (4, "task e"),
            (5, "task f"),
        ]
        assert all(one["since"] is not None for one in part["waiting"])
        (shown,) = (await api.get("/pools"))["pools"]
        assert [one["place"] for one in shown["waiting"]] == [*range(1, 8)]
        assert (await api.get("/pools/queue", pool="builds", skip=99))["waiting"] == []
        assert (await api.client.get("/api/v1/pools/queue?pool=x")).status_code == 404


async def test_what_jobs_use_in_the_middle_of_their_work_is_shown(tmp_path: Path) -> None:
    """Another pool, and who waits for it there, with the words of the log."""
    disk = Pool("disk", 1)
    gate = current.Var("gate", False)

    @current.builder("copy", level=Level.HARMLESS)
    async def copy(job: current.Job, key: str) -> None:
        async with job.use_pool(disk):
            await stop.wait()

    stop = asyncio.Event()

    def pipeline() -> Any:
        return current.all([copy("one"), copy("two"), gate.get()])

    async with open_site(tmp_path, pipeline) as site:
        text = text_of(await site.visitor().get("/pools"))
        assert "disk 1 of 1 in use, 1 waiting" in text
        assert "holds it copy one" in text
        assert "copy two waits for a resource of pool disk" in text
        stop.set()
        await site.harness.settle()
        assert "No job has used a pool" in text_of(await site.visitor().get("/pools"))


async def test_levels_at_which_jobs_wait_for_people_are_counted(tmp_path: Path) -> None:
    """Beside the pools, as they wait as well."""
    async with open_site(tmp_path) as site:
        text = text_of(await site.visitor().get("/pools"))
        assert "Waiting for people 1 job of level dangerous" in text
        assert "No job has used a pool" in text


async def test_the_command_line_lists_pools(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """As the page does."""
    work, pipeline = tasks(Pool("builds", 1), "a", "b", "c")
    async with running_site(pipeline, tmp_path / "state", config=Config()) as site:
        await work.begun("a")
        listed = await Client(site, capsysbinary)("pools", "--limit", "1")
        head, holder, waiting, more = listed.out.splitlines()
        assert head == "builds: 1 of 1 in use, 2 waiting"
        assert (holder[:12], holder[-6:]) == ("  holds it  ", "task a")
        assert (waiting[:4], waiting[-6:]) == ("  1 ", "task b")
        assert more == "  and 1 more wait"


class Place(QueuePlace):
    """One that waits for ever."""

    has_begun = False
    priority = 0
    urgency = Urgency.HIGH

    def __init__(self, number: int) -> None:
        super().__init__()
        self.description = str(number)
        self.tickets = Tickets()

    @property
    def job(self) -> Place:
        return self

    def label(self, name: str, /) -> str | None:
        return str(int(self.description) % 10)

    def granted(self, lender: object) -> bool:
        return False


@pytest.mark.parametrize("share_by", [None, "repo"])
def test_the_first_of_100_000_are_found_at_once(share_by: str | None) -> None:
    """In no more time than of ten: the queue is not copied."""
    pool = Pool("builds", 1, share_by=share_by)
    for number in range(100_000):
        pool.queue(Place(number), 0)
    began = perf_counter()
    first = [job.description for job in islice(pool.in_queue(), 3)]
    assert perf_counter() - began < 0.05
    assert first == ["0", "1", "2"]
