"""Retention as people see it: on a job's page, in the API, for the client and in the metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from pycurrent import Config, Current, Job, Level, Tree, builder, keep
from pycurrent.facade.upkeep import Ran, Upkeep
from pycurrent.term import Var

from ..cli.test_client import Client
from .sites import RunningSite, running_site
from .visits import text_of

RULE = 'keep(op="make", last=0)'


@builder("make", level=Level.HARMLESS)
async def make(job: Job, name: str) -> Tree:
    async with job.tempdir() as folder:
        (folder / "out").write_text(name)
        return await job.save(folder, "out")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    name = Var("name", "a")

    def pipeline() -> Current[Tree]:
        return make(name.get())

    config = Config(keep=[keep(op="make", last=0), keep(op="mkae", days=1)])
    async with running_site(pipeline, tmp_path / "state", config=config) as site:
        await site.engine.settled()
        name.set("b")
        await site.engine.settled()
        yield site


@pytest.fixture
async def http(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url) as client:
        yield client


def job(site: RunningSite, key: str) -> str:
    (found,) = site.engine.history(key=key)
    return found.job_id


async def test_a_job_says_which_of_its_parts_were_removed(
    site: RunningSite, http: httpx.AsyncClient, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """With the rule: on its page, in the API and for the client. Others have lost nothing."""
    old, new = job(site, "a"), job(site, "b")
    await site.engine.service(Upkeep).collect()
    detail = (await http.get(f"/api/v1/jobs/{old}")).json()
    assert [(one["part"], one["rule"]) for one in detail["removed"]] == [
        ("files", RULE),
        ("log", RULE),
    ]
    assert detail["log_size"] is None
    assert (await http.get(f"/api/v1/jobs/{new}")).json()["removed"] == []
    page = (await http.get(f"/job/{old}")).text
    assert "The log has been removed." in page
    assert "<code>keep(op=&#34;make&#34;, last=0)</code>" in page
    status = await Client(site, capsysbinary)("status", old)
    assert f", by {RULE}\n" in status.out


async def test_it_says_what_it_would_remove(
    site: RunningSite, http: httpx.AsyncClient, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """By rule and operation; and that a rule is for an operation that nothing has."""
    would = (await http.get("/api/v1/retention/next")).json()
    assert [(one["op"], one["part"], one["jobs"]) for one in would["taken"]] == [
        ("make", "files", 1),
        ("make", "log", 1),
    ]
    assert would["files"] == 2
    said = (await Client(site, capsysbinary)("retention", "--dry-run")).out
    assert f"  the files of 1 job of make (1 byte): {RULE}\n" in said
    assert '  no job of an operation in keep(op="mkae", days=1) is recorded\n' in said
    assert site.engine.service(Upkeep).runs == 0


async def test_the_rules_are_shown(
    site: RunningSite, http: httpx.AsyncClient, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """In their order, with the time of the next removal."""
    shown = (await http.get("/api/v1/retention")).json()
    assert shown["rules"] == [RULE, 'keep(op="mkae", days=1)']
    assert (shown["files_max_size"], shown["at_work"], shown["ran"]) == (None, False, None)
    assert shown["next"] is not None
    said = (await Client(site, capsysbinary)("retention")).out
    assert said.startswith(f'{RULE}\nkeep(op="mkae", days=1)\nnext removal at ')


async def test_a_page_shows_the_rules_and_what_each_would_remove(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """In their order; only if asked for, as it takes time. Afterwards it says what has gone."""
    page = text_of(await http.get("/retention"))
    assert f'{RULE} keep(op="mkae", days=1)' in page
    assert "The next removal is due" in page
    assert "of make" not in page
    would = "the files of 1 job of make (1 B) the log of 1 job of make"
    page = text_of(await http.get("/retention/next"))
    assert f"Rule Would be removed now {RULE} {would}" in page
    assert 'keep(op="mkae", days=1) nothing: no job of its operation is recorded' in page
    assert "2 saved files" in page
    assert site.engine.service(Upkeep).runs == 0
    upkeep = site.engine.service(Upkeep)
    upkeep.last = Ran(site.engine.clock.now(), timedelta(), await upkeep.collect())
    page = text_of(await http.get("/retention"))
    assert f"Rule Removed {RULE} {would}" in page


async def test_a_page_says_that_there_are_no_rules(tmp_path: Path) -> None:
    """And how much saved files may take."""
    for limit in (None, "2G"):
        config = Config(files_max_size=limit)
        async with (
            running_site(lambda: make("a"), tmp_path / f"{limit}", config=config) as site,
            httpx.AsyncClient(base_url=site.url) as http,
        ):
            page = text_of(await http.get("/retention"))
            assert ("has no rules of retention" in page) is (limit is None)
            assert ("Saved files may take 2.0 GB" in page) is (limit is not None)


async def test_the_metrics_count_what_was_removed(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """None at first."""
    text = (await http.get("/metrics")).text
    assert 'pycurrent_retention_removed_total{part="log"} 0.0' in text
    assert "pycurrent_retention_removed_bytes_total 0.0" in text
