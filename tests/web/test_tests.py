"""The tests that jobs have reported: on pages, in the API, for the client and in an explanation."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import pycurrent as current
from pycurrent import Job, Level

from ..cli.test_client import Client
from .sites import RunningSite, running_site

SAMPLES = Path(__file__).parents[1] / "reports" / "samples"
NASTY = "<script>alert(1)</script>"


@current.builder("check", level=Level.HARMLESS)
async def check(job: Job, key: str) -> None:
    """Reports a sample, or 500 tests."""
    async with job.tempdir() as folder:
        if key == "many":
            tests = "".join([f'<testcase name="t{n}" time="{n}"/>' for n in range(500)])
            report = f"<testsuite>{tests}</testsuite>"
        elif key == "nasty":
            name = NASTY.replace("<", "&lt;")
            test = f'<testcase name="{name}"><failure>{name}</failure></testcase>'
            report = f"<testsuite>{test}</testsuite>"
        else:
            report = (SAMPLES / f"{key}.xml").read_text()
        (folder / "report.xml").write_text(report)
        await job.report(folder, junit="*.xml")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    def pipeline() -> current.Current[None]:
        with current.labels(repo="shop"):
            return current.all([check(key) for key in ("pytest", "nextest", "many", "nasty")])

    async with running_site(pipeline, tmp_path / "state") as site:
        await site.engine.settled()
        yield site


@pytest.fixture
async def http(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, timeout=60) as client:
        yield client


def job(site: RunningSite, key: str) -> str:
    (found,) = site.engine.history(key=key)
    return found.job_id


async def test_failed_tests_are_above_the_log(site: RunningSite, http: httpx.AsyncClient) -> None:
    """With what they say, and a link to all of them; nothing of that for a job without tests."""
    page = (await http.get(f"/job/{job(site, 'pytest')}")).text
    assert page.index("test_shop: test_price") < page.index("data-log")
    assert "4 passed, 3 failed, 1 error, 2 skipped" in page
    assert "no database" in page
    assert "test_adds" not in page
    assert f"/job/{job(site, 'pytest')}/tests" in page


async def test_all_tests_of_a_job_by_page(site: RunningSite, http: httpx.AsyncClient) -> None:
    """In their order, the slowest first, or some of them."""
    many = f"/job/{job(site, 'many')}/tests"
    first = (await http.get(many)).text
    assert "t0\n" in first
    assert "1 to 200" in first
    assert "skip=200" in first
    last = (await http.get(f"{many}?skip=400")).text
    assert "401 to 500" in last
    assert "The next ones" not in last
    slowest = (await http.get(f"{many}?show=slowest&skip=junk")).text
    assert slowest.index("t499") < slowest.index("t498")
    assert "No such test." in (await http.get(f"{many}?show=failed")).text
    skipped = (await http.get(f"/job/{job(site, 'pytest')}/tests?show=skipped")).text
    assert "not on Sundays" in skipped
    assert "test_store" not in skipped
    assert (await http.get("/job/2026-01-01/000000-x-000000/tests")).status_code == 404


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("badge/check many.svg?of=tests", "tests: 500 passed"),
        ("badge/check pytest.svg?of=tests&title=unit", "unit: 4 failed"),
        ("badge.svg?of=tests&label=repo=shop", "tests: 6 failed"),
        ("badge.svg?of=tests", "tests: 6 failed"),
        ("badge/check many.svg?of=state", "check many: ok"),
    ],
)
async def test_badges_count_tests(http: httpx.AsyncClient, path: str, said: str) -> None:
    """Of the stages with a path or labels: those that failed, or else those that passed."""
    answer = await http.get(f"/{path}")
    assert answer.status_code == 200, answer.text
    assert f'aria-label="{said}"' in answer.text


async def test_a_badge_needs_stages(http: httpx.AsyncClient) -> None:
    """Where none are, or what it is of is not known, it is refused."""
    for path, status in (
        ("badge.svg?of=tests&label=repo=other", 404),
        ("badge/nothing.svg?of=tests", 404),
        ("badge.svg?of=odd", 422),
    ):
        assert (await http.get(f"/{path}")).status_code == status


async def test_what_tests_say_is_text(site: RunningSite, http: httpx.AsyncClient) -> None:
    """Their names and messages come from anybody."""
    for path in ("", "/tests"):
        page = (await http.get(f"/job/{job(site, 'nasty')}{path}")).text
        assert NASTY not in page
        assert "&lt;script&gt;alert(1)" in page


async def test_the_api_has_them(site: RunningSite, http: httpx.AsyncClient) -> None:
    """Of a job by page, and over all jobs."""

    async def get(path: str, **query: Any) -> Any:
        answer = await http.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    failed = await get(f"/jobs/{job(site, 'pytest')}/tests", result=["failed", "error"], limit=3)
    assert [test["name"] for test in failed["tests"]] == ["test_price", "test_odd[0]", "test_store"]
    assert failed["next"] == 3
    assert failed["counts"]["skipped"] == 2
    rest = await get(f"/jobs/{job(site, 'pytest')}/tests", result=["failed", "error"], skip=3)
    assert [test["name"] for test in rest["tests"]] == ["test_prints"]
    assert rest["next"] is None
    flaky = await get("/tests", which="flaky", label="repo=shop")
    assert [test["name"] for test in flaky["tests"]] == ["tests::sometimes"]
    assert (await get("/tests", which="slow", limit=1))["tests"][0]["took"] == 499.0
    assert (await get("/tests", label="repo=other"))["tests"] == []
    assert len((await get("/tests/reports"))["reports"]) == 4
    runs = await get("/tests/runs", name="test_price")
    assert [run["case"]["result"] for run in runs["runs"]] == ["failed"]
    wrong = await http.get("/api/v1/tests", params={"which": "odd"})
    assert wrong.status_code == 422
    assert (await http.get("/api/v1/jobs/2026-01-01/000000-x-000000/tests")).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        [],
        ["--failed"],
        ["--flaky", "--label", "repo=shop"],
        ["--slow", "--limit", "2"],
        ["--test", "test_price"],
        ["JOB"],
        ["JOB", "--failed"],
        ["JOB", "--slow", "--limit", "3"],
        ["JOB", "--flaky"],
        ["--op", "nope"],
    ],
)
async def test_the_client_says_the_same_as_the_records(
    site: RunningSite, capfdbinary: pytest.CaptureFixture[bytes], asked: list[str]
) -> None:
    """In the same words, with or without an engine."""
    client = Client(site, capfdbinary)
    words = [job(site, "pytest") if word == "JOB" else word for word in asked]
    state = str(site.engine.opened.state.path)
    online = await client("tests", *words)
    offline = await client.of_records("tests", *words, "--state-dir", state)
    assert (online.out, online.err) == (offline.out, offline.err)
    assert online.status == offline.status == 0


async def test_the_words_of_the_command_line(
    site: RunningSite, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """As a line for each test, and its message below."""
    client = Client(site, capfdbinary)
    state = ("--state-dir", str(site.engine.opened.state.path))
    listed = await client.elsewhere("tests", job(site, "pytest"), "--failed", *state)
    assert listed.splitlines()[2:4] == [
        "failed         1 ms  test_shop: test_odd[0]",
        "    assert 0",
    ]
    flaky = await client.elsewhere("tests", job(site, "nextest"), "--flaky", *state)
    assert flaky.startswith("flaky          4 ms  shop: tests::sometimes\n")
    found = json.loads(await client.elsewhere("tests", "--failed", "--json", *state))
    assert {"test_price", "tests::price"} <= {test["name"] for test in found["tests"]}
    for wrong in (["--failed", "--slow"], ["last", "--op", "check"]):
        refused = await client.of_records("tests", *wrong, *state)
        assert refused.status == 2


async def test_an_explanation_names_them(
    site: RunningSite, capfdbinary: pytest.CaptureFixture[bytes], http: httpx.AsyncClient
) -> None:
    """With how many there were; in the API, too."""
    client = Client(site, capfdbinary)
    told = (await client("explain", job(site, "pytest"))).out.splitlines()
    place = told.index("tests: 4 passed, 3 failed, 1 error, 2 skipped")
    assert told[place + 2] == "  failed: test_shop: test_odd[0]: assert 0"
    answer = (await http.get(f"/api/v1/jobs/{job(site, 'nextest')}/explain")).json()
    assert [test["name"] for test in answer["tests"]["failed"]] == ["tests::price"]


async def test_the_engine_has_them(site: RunningSite) -> None:
    """As an author asks: with labels as a mapping."""
    tests = site.engine.tests
    assert [one.name for one in tests.flaky(labels={"repo": "shop"})] == ["tests::sometimes"]
    assert tests.failed(labels={"repo": "x"}) == []
    assert {report.key for report in tests.reports(op="check")} == {
        "pytest", "nextest", "many", "nasty"
    }  # fmt: skip
    assert [run.job_id for run in tests.runs("test_price")] == [job(site, "pytest")]
    assert tests.slow(limit=1)[0].took == 499.0
