"""The log of a job beside that of the last good run: page, API and command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pycurrent as current
from pycurrent.cli.client.status import ClientExit
from pycurrent.engine import Level

from ..cli.test_client import Client
from .sites import running_site
from .visits import open_site, text_of


@current.builder("check", level=Level.HARMLESS)
async def check(job: current.Job, key: str) -> str:
    """Fails for what is bad."""
    job.write(f"\x1b[32mcompiling\x1b[0m\ntests of {key} <b>\n".encode())
    if "bad" in key:
        raise current.Failure(f"{key} can't be")
    return key


def of(value: current.Var[str]) -> Callable[[], current.Current[Any]]:
    return lambda: check(value.get())


async def test_the_page_compares_with_the_last_good_run(tmp_path: Path) -> None:
    """Of the same stage, whatever its key was; below each other, or side by side."""
    value = current.Var("value", "one")
    async with open_site(tmp_path, of(value)) as site:
        visitor = site.visitor()
        first = site.harness.engine.history()[0].job_id
        none = await visitor.get(f"/job/{first}/compare")
        assert "There is no good run before this one" in text_of(none)
        for key in ("two", "bad"):
            value.set(key)
            await site.harness.settle()
        bad, two = (job.job_id for job in site.harness.engine.history()[:2])
        page = await visitor.get(f"/job/{bad}/compare")
        text = text_of(page)
        assert f"with {two} , the last good run before it" in text
        assert "- only in the good run: tests of two <b>" in text
        assert "+ only in this job: tests of bad <b>" in text
        assert "tests of bad &lt;b&gt;" in page.text
        side = await visitor.get(f"/job/{bad}/compare?view=side&with={first}")
        assert f"with {first} . Times" in text_of(side)
        assert "only in the good run: tests of one" in text_of(side)
        assert f'href="/job/{bad}/compare"' in (await visitor.get(f"/job/{bad}")).text
        same = await visitor.get(f"/job/{bad}/compare?with={bad}")
        assert "Nothing differs" in text_of(same)
        for wrong in (f"/job/{bad}/compare?with=x", "/job/2026-01-01/000000-x-000000/compare"):
            assert (await visitor.get(wrong)).status_code == 404
        gone = await visitor.get(f"/job/{bad}/compare?with=2026-01-01/000000-x-000000")
        assert "is not there: it may have been removed" in text_of(gone)


async def test_the_api_compares_logs(tmp_path: Path) -> None:
    """By the numbers of their lines; without a good run there is nothing to compare with."""
    value = current.Var("value", "one")
    async with open_site(tmp_path, of(value)) as site:
        client = site.client()
        first = site.harness.engine.history()[0].job_id
        answer = await client.get(f"/api/v1/jobs/{first}/compare")
        assert answer.status_code == 404
        assert "no good run before it" in answer.json()["detail"]
        value.set("bad")
        await site.harness.settle()
        bad = site.harness.engine.history()[0].job_id
        found = (await client.get(f"/api/v1/jobs/{bad}/compare")).json()
        assert (found["job"], found["other"], found["whole"]) == (bad, first, True)
        lines = [
            (line["old"], line["new"], line["text"])
            for hunk in found["hunks"]
            for line in hunk["lines"]
        ]
        texts = [text for old, _, text in lines if old is None]
        assert "tests of bad <b>" in texts
        wrong = await client.get(f"/api/v1/jobs/{bad}/compare?with=x")
        assert wrong.status_code == 422


async def test_the_command_line_compares_logs(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """As `diff -u` would."""
    value = current.Var("value", "one")
    async with running_site(of(value), tmp_path / "state") as site:
        await site.engine.settled()
        first = site.engine.history()[0].job_id
        value.set("bad")
        await site.engine.settled()
        bad = site.engine.history()[0].job_id
        client = Client(site, capsysbinary)
        lines = (await client("compare", "last")).out.splitlines()
        assert lines[:2] == [f"--- {first}", f"+++ {bad}"]
        assert "+tests of bad <b>" in lines
        same = await client("compare", bad, "--with", bad)
        assert (same.status, same.out, same.err) == (ClientExit.OK, "", "nothing differs\n")
