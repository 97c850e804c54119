"""The coverage that jobs have reported: on pages, in the API, in badges, and for the client."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import pycurrent as current
from pycurrent import Failure, Job, Level

from ..cli.test_client import Client
from .sites import RunningSite, running_site

NASTY = "<script>alert(1)</script>.py"
COVERED = ("4", "3", "none", "6")
"""How many lines of ten each job of the stage covers, in their order; the second one fails."""


@current.builder("cover", level=Level.HARMLESS)
async def cover(job: Job, covered: str) -> None:
    """Covers some lines, and one of a file with a nasty name; or says nothing."""
    async with job.tempdir() as folder:
        if covered == "none":
            return
        lines = "".join(f"DA:{n},{int(n <= int(covered))}\n" for n in range(1, 11))
        (folder / "lcov.info").write_text(
            f"SF:shop.py\n{lines}end_of_record\nSF:{NASTY}\nDA:1,1\nend_of_record\n"
        )
        await job.report(folder, coverage="lcov.info")
        if covered == "3":
            raise Failure("too little")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    def pipeline() -> current.Current[None]:
        with current.labels(repo="shop"):
            covered = cover(current.Input("covered", COVERED[0]).get())
            with current.labels(kind="quiet"):
                return current.all([covered, cover("none", name="quiet")])

    async with running_site(pipeline, tmp_path / "state") as site:
        await site.engine.settled()
        for covered in COVERED[1:]:
            site.engine.set_input("covered", covered)
            await site.engine.settled()
        yield site


@pytest.fixture
async def http(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url) as client:
        yield client


def job(site: RunningSite, covered: str) -> str:
    (found,) = site.engine.history(key=covered)
    return found.job_id


async def test_a_job_shows_its_coverage(site: RunningSite, http: httpx.AsyncClient) -> None:
    """With the change, and by file on a page of its own; nothing of that for one without."""
    page = (await http.get(f"/job/{job(site, '6')}")).text
    assert "63.6 % of 11 lines" in page
    assert "+18.2" in page
    by_file = (await http.get(f"/job/{job(site, '6')}/coverage")).text
    assert by_file.index("shop.py") < by_file.index("&lt;script&gt;")
    assert NASTY not in by_file
    assert "4 of 10" in by_file
    assert (
        "There are no more files."
        in (await http.get(f"/job/{job(site, '6')}/coverage?skip=200")).text
    )
    assert "By file" not in (await http.get(f"/job/{job(site, 'none')}")).text
    nothing = await http.get(f"/job/{job(site, 'none')}/coverage")
    assert "This job has reported no coverage." in nothing.text
    assert (await http.get("/job/2026-01-01/000000-x-000000/coverage")).status_code == 404


async def test_a_stage_draws_its_last_figures(site: RunningSite, http: httpx.AsyncClient) -> None:
    """From the lowest to the highest."""
    page = (await http.get("/stage", params={"path": "cover"})).text
    assert "The last 3 jobs: 36.4 % to 63.6 %" in page
    assert 'points="0.0,39.3 200.0,58.0 400.0,2.0"' in page


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/badge.svg?of=coverage", "coverage: 63.6 %"),
        ("/badge.svg?of=coverage&label=repo=shop&title=shop", "shop: 63.6 %"),
        ("/badge/cover.svg?of=coverage", "coverage: 63.6 %"),
        ("/badge.svg?of=coverage&label=kind=quiet", "coverage: unknown"),
        ("/badge/cover.svg?of=state", "cover: ok"),
    ],
)
async def test_badges_show_coverage(
    site: RunningSite, http: httpx.AsyncClient, address: str, shown: str
) -> None:
    """Of the last good job of each stage."""
    badge = await http.get(address)
    assert badge.status_code == 200
    assert f"<title>{shown}</title>" in badge.text


async def test_a_badge_of_no_stage(site: RunningSite, http: httpx.AsyncClient) -> None:
    """A slip in the address."""
    for address in ("/badge/nope.svg?of=coverage", "/badge.svg?of=coverage&label=repo=nope"):
        assert (await http.get(address)).status_code == 404
    assert (await http.get("/badge.svg?of=odd")).status_code == 422


async def test_the_api_has_it(site: RunningSite, http: httpx.AsyncClient) -> None:
    """Of a job by file and page, and of all jobs with what has changed since the last Ok one."""

    async def get(path: str, **query: Any) -> Any:
        answer = await http.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    found = await get(f"/jobs/{job(site, '6')}/coverage", limit=1)
    assert found["report"]["coverage"]["percent"] == pytest.approx(700 / 11)
    assert found["report"]["before"]["covered"] == 5
    assert found["report"]["change"] == pytest.approx(200 / 11)
    assert (found["report"]["path"], found["report"]["ok"]) == ("cover", True)
    assert [file["path"] for file in found["files"]] == ["shop.py"]
    assert found["next"] == 1
    rest = await get(f"/jobs/{job(site, '6')}/coverage", skip=1)
    assert [file["path"] for file in rest["files"]] == [NASTY]
    assert rest["next"] is None
    nothing = await get(f"/jobs/{job(site, 'none')}/coverage")
    assert nothing == {"report": None, "files": [], "next": None}
    reports = (await get("/coverage", label="repo=shop"))["reports"]
    assert [report["key"] for report in reports] == ["6", "3", "4"]
    assert (await get("/coverage", label="repo=other"))["reports"] == []
    assert (await http.get("/api/v1/coverage", params={"odd": 1})).status_code == 422
    assert (await http.get("/api/v1/jobs/2026-01-01/000000-x-000000/coverage")).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [[], ["--label", "repo=shop", "--limit", "2"], ["JOB"], ["NONE"], ["--op", "nope"]],
)
async def test_the_client_says_the_same_as_the_records(
    site: RunningSite, capfdbinary: pytest.CaptureFixture[bytes], asked: list[str]
) -> None:
    """In the same words, and the same JSON but for the pages."""
    client = Client(site, capfdbinary)
    ids = {"JOB": job(site, "6"), "NONE": job(site, "none")}
    words = [ids.get(word, word) for word in asked]
    state = ("--state-dir", str(site.engine.opened.state.path))
    online = await client("coverage", *words)
    offline = await client.of_records("coverage", *words, *state)
    assert (online.out, online.err) == (offline.out, offline.err)
    assert online.status == offline.status == 0
    told = json.loads((await client("coverage", *words, "--json")).out)
    told.pop("next", None)
    assert told == json.loads((await client.of_records("coverage", *words, *state, "--json")).out)


async def test_a_line_has_the_figure_and_the_change(
    site: RunningSite, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The files of a job stand below its own line, the one that lacks most first."""
    client = Client(site, capfdbinary)
    lines = (await client("coverage")).out.splitlines()
    assert [line.split()[2:5] for line in lines] == [
        ["63.6", "%", "+18.2"],
        ["36.4", "%", "-9.1"],
        ["45.5", "%", job(site, "4")],
    ]
    lines = (await client("coverage", job(site, "6"))).out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["60.0", "%", "6", "of", "10", "shop.py"],
        ["100.0", "%", "1", "of", "1", NASTY],
    ]


async def test_a_job_goes_without_filters(
    site: RunningSite, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """They are about other jobs."""
    client = Client(site, capfdbinary)
    ended = await client("coverage", "last", "--op", "cover")
    assert ended.status == 2
    assert "a job has its coverage" in ended.err
