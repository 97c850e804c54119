"""Asking whether results are still there: by the client, and on the page of a job."""

import asyncio
import json
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent.cli.client.status import ClientExit

from ..web.sites import RunningSite, running_site
from ..web.visits import open_site, text_of
from .test_client import Client


class Things:
    """Results that may be lost."""

    def __init__(self) -> None:
        self.lost = False
        self.made = 0

    def pipeline(self) -> current.Current[str]:
        async def still_there(key: str, outcome: str) -> bool:
            return not self.lost

        @current.builder("thing", level=current.Level.HARMLESS, still_there=still_there)
        async def thing(job: current.Job, key: str) -> str:
            self.made += 1
            self.lost = False
            return key

        @current.builder("other", level=current.Level.HARMLESS)
        async def other(job: current.Job, key: str) -> str:
            return key

        return current.map(lambda thing, other: thing + other, thing("a"), other("b"))


async def at_rest(site: RunningSite) -> None:
    async with asyncio.timeout(10):
        await site.engine.settled()


async def test_the_client_asks(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """It says which results are asked about; the one that is lost is made again."""
    things = Things()
    async with running_site(things.pipeline, tmp_path / "state") as site:
        await at_rest(site)
        client = Client(site, capsysbinary)
        job = client.job("thing a")
        ended = await client("verify", "thing a")
        assert (ended.status, ended.out) == (0, f"the result of {job} is asked about\n")
        await at_rest(site)
        assert things.made == 1
        things.lost = True
        ended = await client("verify", "thing", "--json")
        assert (ended.status, json.loads(ended.out)) == (0, {"jobs": [job]})
        await at_rest(site)
        assert things.made == 2
        assert "result-lost" in (await client("query", "--json")).out
        ended = await client("verify", "other")
        assert ended.status == ClientExit.USAGE
        assert "operation 'other' can't tell" in ended.err


async def test_the_page_of_a_job_asks(tmp_path: Path) -> None:
    """Only that of one whose operation can tell has the button."""
    things = Things()
    async with open_site(tmp_path, things.pipeline) as site:
        await site.harness.settle()
        visitor, job = site.visitor(), site.job("thing a")
        assert "Verify</button>" not in (await visitor.get(f"/job/{site.job('other b')}")).text
        assert "Verify</button>" in (await visitor.get(f"/job/{job}")).text
        things.lost = True
        page = await visitor.post_and_follow(f"/job/{job}/verify")
        assert "still there is being looked up" in text_of(page)
        await site.harness.settle()
        assert things.made == 2
        assert "Verify</button>" not in (await visitor.get(f"/job/{job}")).text
