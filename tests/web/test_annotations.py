"""Annotations of jobs: on their pages, and in the API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

import pycurrent as current
from pycurrent import Job, Level

from .sites import RunningSite, running_site

NASTY = "<script>alert(1)</script>"


@current.builder("lint", level=Level.HARMLESS)
async def lint(job: Job, key: str) -> None:
    """Reports 60 findings, the last one an error."""
    results = [{"message": {"text": f"{NASTY} {n}"}, "level": "warning"} for n in range(59)]
    place = {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}
    locations = [{"physicalLocation": place}]
    results.append({"message": {"text": "worst"}, "level": "error", "locations": locations})  # type: ignore[dict-item]
    run = {"tool": {"driver": {"name": "lint"}}, "results": results if key == "bad" else []}
    async with job.tempdir() as folder:
        (folder / "a.sarif").write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
        await job.report(folder, sarif="*.sarif")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    def pipeline() -> current.Current[None]:
        return current.all([lint("bad"), lint("good")])

    async with running_site(pipeline, tmp_path / "state") as site:
        await site.engine.settled()
        yield site


@pytest.fixture
async def http(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, timeout=60) as client:
        yield client


def job(site: RunningSite, key: str) -> str:
    (found,) = site.engine.history(op="lint", key=key)
    return found.job_id


async def test_annotations_are_above_the_log(site: RunningSite, http: httpx.AsyncClient) -> None:
    """The worst first, as text, and nothing of that for a job without any."""
    page = (await http.get(f"/job/{job(site, 'bad')}")).text
    assert "1 error, 59 warnings" in page
    assert page.index("worst") < page.index("&lt;script&gt;alert(1)") < page.index("data-log")
    assert NASTY not in page
    assert "a.py:3" in page
    assert "Annotations" not in (await http.get(f"/job/{job(site, 'good')}")).text


async def test_the_api_has_them(site: RunningSite, http: httpx.AsyncClient) -> None:
    """By themselves, and in what explains the job."""
    path = f"/api/v1/jobs/{job(site, 'bad')}"
    found = (await http.get(f"{path}/annotations", params={"limit": 2})).json()
    assert found["counts"] == {"errors": 1, "warnings": 59, "notices": 0}
    assert [(one["level"], one["path"], one["line"]) for one in found["first"]] == [
        ("error", "a.py", 3),
        ("warning", None, None),
    ]
    explained = (await http.get(f"{path}/explain")).json()
    assert explained["annotations"]["counts"] == found["counts"]
    assert len(explained["annotations"]["first"]) == 10
    assert (
        await http.get("/api/v1/jobs/2026-01-01/000000-x-000000/annotations")
    ).status_code == 404
