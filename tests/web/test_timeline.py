"""The timeline of a change, or of stages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import pycurrent as current
from pycurrent.service import HistoryEntry, critical_path
from pycurrent.web.pages.timeline import WIDTH, timeline_of

from ..cli.test_client import Client
from .api import Tasks, api_of, until
from .sites import running_site
from .visits import open_site, text_of

MINUTE = timedelta(minutes=1)


def entry(
    base: HistoryEntry, name: str, created: int, started: int | None, finished: int | None
) -> HistoryEntry:
    """A job with times in minutes."""

    def at(minutes: int | None) -> Any:
        return None if minutes is None else base.created + minutes * MINUTE

    return replace(
        base, job_id=name, created=at(created), started=at(started), finished=at(finished)
    )


async def test_a_timeline_has_the_times_of_jobs(tmp_path: Path) -> None:
    """And a critical path, found by the times, once all have ended."""
    async with open_site(tmp_path) as site:
        base = site.harness.engine.history()[0]
        ended = [
            entry(base, "clone", 0, 0, 2),
            entry(base, "lint", 2, 2, 3),
            entry(base, "build", 2, 4, 8),
            entry(base, "deploy", 8, 8, 10),
        ]
        names = [one.job_id for one in critical_path(ended)]
        assert names == ["deploy", "build", "clone"]
        line = timeline_of(ended[::-1], base.created)
        assert line is not None
        assert [row.entry.job_id for row in line.rows] == ["clone", "build", "lint", "deploy"]
        build = line.rows[1]
        assert build.queued == (0.2 * WIDTH, 0.2 * WIDTH)
        assert build.ran == (0.4 * WIDTH, 0.4 * WIDTH)
        assert (build.waited, build.took) == (2 * MINUTE, 4 * MINUTE)
        assert [row.is_critical for row in line.rows] == [True, True, False, True]
        assert all(sum(row.queued) <= WIDTH for row in line.rows)
        assert critical_path([*ended, entry(base, "more", 9, 9, None)]) == []
        assert timeline_of([], base.created) is None


async def test_the_page_draws_the_jobs_of_a_change_and_of_stages(tmp_path: Path) -> None:
    """With when those at work may end, where there were good runs."""
    value = current.Var("value", "one")
    work = Tasks()

    def pipeline() -> Any:
        return work.each(value.get())

    async with open_site(tmp_path, pipeline) as site:
        visitor = site.visitor()
        await site.harness.advance(3 * MINUTE)
        work.end("one")
        await site.harness.settle()
        value.set("two")
        await site.harness.settle()
        await site.harness.advance(MINUTE)
        both = text_of(await visitor.get("/timeline?path=task"))
        assert "2 jobs from" in both
        assert "task two in task 0.0 s 1 min 00 s" in both
        assert "those at work may end at" in both
        one = await visitor.get("/timeline?change=1")
        assert "1 job from" in text_of(one)
        assert "on the critical path" in text_of(one)
        assert one.text.count('<rect class="s-waits"') == 1
        assert "No job matches" in text_of(await visitor.get("/timeline?label=repo=web"))
        assert (await visitor.get("/timeline?change=99")).status_code == 404
        assert 'href="/timeline?change=1"' in (await visitor.get("/changes/1")).text
        linked = await visitor.get("/history?path=task")
        assert 'href="/timeline?path=task&amp;label="' in linked.text


async def test_the_api_tells_what_the_page_draws(tmp_path: Path) -> None:
    """The jobs in the order of their creation, with how long they waited."""
    value = current.Var("value", "one")
    work = Tasks()

    async with open_site(tmp_path, lambda: work.each(value.get())) as site:
        client = site.client()
        await site.harness.advance(3 * MINUTE)
        work.end("one")
        await site.harness.settle()
        ended = (await client.get("/api/v1/timeline")).json()
        assert [(one["critical"], one["waited"]) for one in ended["jobs"]] == [(True, 0.0)]
        assert ended["end"] == ended["jobs"][0]["job"]["finished"]
        assert ended["expected_end"] is None
        value.set("two")
        await site.harness.settle()
        both = (await client.get("/api/v1/timeline?path=task")).json()
        assert [one["job"]["key"] for one in both["jobs"]] == ["one", "two"]
        assert (both["end"], both["expected_end"] is None) == (None, False)
        few = (await client.get("/api/v1/timeline?path=task&limit=1")).json()
        assert [one["job"]["key"] for one in few["jobs"]] == ["two"]
        one = (await client.get("/api/v1/timeline?change=1")).json()
        assert [one["job"]["key"] for one in one["jobs"]] == ["one"]
        assert (await client.get("/api/v1/timeline?path=x")).json()["begin"] is None
        for query, status in (("change=99", 404), ("change=1&path=x", 422), ("limit=0", 422)):
            assert (await client.get(f"/api/v1/timeline?{query}")).status_code == status


async def test_the_command_line_lists_the_timeline(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """With a star at what was critical, and when the rest may end."""
    work = Tasks()

    def pipeline() -> Any:
        return work.each(work.stage("quick").map(lambda _: "slow"))

    async with running_site(pipeline, tmp_path) as site:
        await work.begun("slow")
        await until(lambda: site.engine.history(op="task"))
        client = Client(site, capsysbinary)
        lines = (await client("timeline")).out.splitlines()
        assert [line.split()[-1] for line in lines] == ["quick", "slow"]
        assert "took" in lines[0]
        assert "at work" in lines[1]
        wrong = await client("timeline", "--change", "1", "--path", "x")
        assert "leave out --path and --label" in wrong.err


async def test_the_api_tells_the_paces_of_stages(tmp_path: Path) -> None:
    """As soon as a run has ended, beside the median of the good ones before it, if those are 3."""
    value = current.Var("value", "0")
    work = Tasks()

    def pipeline() -> Any:
        return current.constant(["main"]).list_map(lambda _: work.each(value.get()))

    async with api_of(pipeline, tmp_path) as api:
        path = "main/task"
        told = []
        for number, minutes in enumerate((2, 2, 2, 5, 2, 1)):
            value.set(str(number))
            await api.harness.settle()
            assert await api.get("/paces", path=[path, "elsewhere"]) == {"paces": {}}
            await api.harness.advance(minutes * MINUTE)
            work.end(str(number))
            await api.harness.settle()
            pace = (await api.get("/paces", path=[path, "elsewhere"]))["paces"][path]
            told.append((pace["took"], pace["usual"], pace["trend"]))
            assert pace["job_id"] == api.job(f"task {number}")
    assert told == [
        *[(120, None, None)] * 3,
        (300, 120, "slower"),
        (120, 120, "usual"),
        (60, 120, "faster"),
    ]


async def test_a_stage_that_takes_longer_than_usual_is_marked(tmp_path: Path) -> None:
    """On the page of its item, with how long it took as a rule."""
    value = current.Var("value", "0")
    work = Tasks()

    def pipeline() -> Any:
        return current.constant(["main"]).list_map(lambda _: work.each(value.get()))

    async with open_site(tmp_path, pipeline) as site:
        visitor = site.visitor()
        for number in range(5):
            value.set(str(number))
            await site.harness.settle()
            await site.harness.advance(MINUTE if number < 4 else 5 * MINUTE)
            work.end(str(number))
            await site.harness.settle()
            page = text_of(await visitor.get("/items?path=main"))
            assert ("usually" in page) is (number == 4)
        assert "ok 5 min 00 s usually 1 min 00 s" in page
