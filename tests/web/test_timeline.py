"""The timeline of a change, or of stages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

import pycurrent as current
from pycurrent.service import HistoryEntry
from pycurrent.web.pages.timeline import WIDTH, critical_path, timeline_of

from .api import Tasks
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
