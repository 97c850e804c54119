"""The page of an item: all stages below a path, or with a value of a label."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

import pycurrent as current
from pycurrent import Job
from pycurrent.engine.abouts import About, Abouts
from pycurrent.service import Below, Item, Labelled
from pycurrent.term import Current, Stats

from .visits import Reply, Site, Visitor, open_site, text_of


def pipeline() -> Current[Any]:
    """Two stages for each branch; one branch has a slash, another a space and a star."""

    def ci(branch: Current[str]) -> Current[Any]:
        built = current.component("build", Reply().get, branch)
        return current.component("publish", Reply().get, built)

    branches = current.constant(["main", "bad/one", "b *"])
    with current.labels(repo="web", kind="a b*"):
        listed = branches.list_map(ci)
    with current.labels(repo="api"):
        risky = current.component("ship", Reply().get, current.constant("risky"))
    return current.all([listed, risky])


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, pipeline) as opened:
        yield opened


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return site.visitor()


@pytest.mark.parametrize(
    ("item", "paths"),
    [
        (Below("main"), ["main/build", "main/publish"]),
        (Below("bad%2Fone"), ["bad%2Fone/build", "bad%2Fone/publish"]),
        (Below("mai"), []),
        (Below("main/build"), []),
        (Labelled("repo", "api"), ["ship"]),
        (Labelled("repo", "ap"), []),
        (Labelled("nothing", ""), []),
    ],
)
async def test_an_item_has_the_stages_below_its_path_or_with_its_label(
    site: Site, item: Item, paths: list[str]
) -> None:
    """And no others: names are compared whole."""
    found = await site.service.stages_of_item(item, limit=100)
    assert [stage.path for stage in found.stages] == paths
    assert found.counts.total == len(paths)


async def test_of_too_many_stages_those_of_most_concern_are_shown(site: Site) -> None:
    """All are counted."""
    found = await site.service.stages_of_item(Labelled("repo", "web"), limit=2)
    assert [stage.path for stage in found.stages] == ["bad%2Fone/build", "bad%2Fone/publish"]
    assert found.counts == Stats(ok=4, failed=1, blocked=1)


async def test_the_page_says_what_is_not_ok_and_why(visitor: Visitor) -> None:
    """With the failure, what it blocks, since when, and the states of all stages."""
    page = await visitor.get("/items?path=bad%252Fone")
    text = text_of(page)
    assert "failed 2 stages: 1 failed, 1 blocked" in text
    assert "bad/one: no <script>alert(1)</script>" in text
    assert "it needs bad%2Fone/build" in text
    assert "new since" in text
    assert "repo=web" in text
    assert "ship" not in text
    assert 'href="/stage?path=bad%252Fone%2Fbuild"' in page.text


async def test_a_failed_stage_names_the_tests_that_failed(tmp_path: Path) -> None:
    """The first ones with what they say, and where the others are."""
    (tmp_path / "reports").mkdir()
    failed = "".join(
        f'<testcase name="t{number}" classname="shop"><failure message="no &lt;b&gt; {number}"/>'
        "</testcase>"
        for number in range(5)
    )
    (tmp_path / "reports" / "a.xml").write_text(f"<testsuite>{failed}</testsuite>")

    @current.builder("check", level=current.Level.HARMLESS)
    async def check(job: Job, branch: str) -> None:
        await job.report(tmp_path / "reports", junit="*.xml")

    def tested() -> Current[Any]:
        with current.labels(branch="main"):
            return check("main")

    async with open_site(tmp_path / "site", tested) as opened:
        page = await opened.visitor().get("/items?label=branch&value=main")
    text = text_of(page)
    assert "shop: t0: no <b> 0" in text
    assert "shop: t2: no <b> 2" in text
    assert "t3" not in text
    assert "and 2 other tests" in text
    assert re.search(r'href="/job/[^"]*/tests\?show=failed"', page.text)


@pytest.mark.parametrize("name", ["b *", "main"])
async def test_an_item_leads_to_its_jobs_and_its_history(visitor: Visitor, name: str) -> None:
    """Whatever signs are in its name."""
    page = await visitor.get(f"/items?path={quote(name, safe='')}")
    link = re.search(r'href="(/history\?[^"]+)">History', page.text)
    assert link is not None
    history = await visitor.get(link[1].replace("&amp;", "&"))
    assert len(re.findall(r'name="job"', history.text)) == 1
    assert (await visitor.get(link[1].replace("history", "jobs"))).status_code == 200


async def test_a_label_with_spaces_leads_to_its_history(visitor: Visitor) -> None:
    """Although spaces tell the conditions of a history apart."""
    page = await visitor.get("/items?label=kind&value=a%20b*")
    assert "6 stages: 1 failed, 1 blocked, 4 ok" in text_of(page)
    link = re.search(r'href="(/history\?[^"]+)">History', page.text)
    assert link is not None
    history = await visitor.get(link[1].replace("&amp;", "&"))
    assert len(re.findall(r'name="job"', history.text)) == 3


async def test_the_failed_jobs_of_an_item_are_rebuilt_at_once(site: Site, visitor: Visitor) -> None:
    """The button says how many; one is back on the page of the item."""
    address = "/items?label=repo&value=web"
    page = await visitor.get(address)
    assert "Rebuild 1 failed job" in page.text
    jobs = re.findall(r'name="job" value="([^"]+)"', page.text)
    assert len(jobs) == 1
    assert site.service.jobs.detail(jobs[0]).stages == ("bad%2Fone/build",)
    page = await visitor.post_and_follow("/history/rebuild", job=jobs, back=address)
    assert page.request.url.path == "/items"
    assert "1 job to be rebuilt" in text_of(page)


async def test_the_jobs_of_an_item_are_cancelled_at_once(site: Site, visitor: Visitor) -> None:
    """Those that have not ended."""
    page = await visitor.get("/items?label=repo&value=api")
    assert "Cancel 1 job" in page.text
    (job,) = re.findall(r'name="job" value="([^"]+)"', page.text)
    assert job == site.job("risky")
    page = await visitor.post_and_follow(
        "/jobs/cancel", job=job, back="/items?label=repo&value=api"
    )
    assert page.request.url.path == "/items"
    await site.harness.settle()
    assert site.harness.stats.failed == 2


async def test_a_form_leads_to_no_other_site(visitor: Visitor) -> None:
    """Whatever it says where to come back to."""
    await visitor.get("/")
    for path in ("/history/rebuild", "/jobs/cancel"):
        page = await visitor.post(path, job="2026-11-22/000000-x-0", back="https://evil.invalid/")
        assert page.headers["location"].startswith(f"/{path.split('/')[1]}")


async def test_what_is_no_item_is_not_found(visitor: Visitor) -> None:
    """The path of a stage leads to the stage."""
    assert (await visitor.get("/items")).status_code == 404
    assert (await visitor.get("/items?path=nowhere")).status_code == 404
    assert (await visitor.get("/items?label=repo&value=db")).status_code == 404
    stage = await visitor.get("/items?path=main%2Fbuild")
    assert (stage.status_code, stage.headers["location"]) == (303, "/stage?path=main%2Fbuild")


async def test_history_failures_and_stages_lead_to_their_items(visitor: Visitor) -> None:
    """By the names around a stage, and by its labels."""
    of_path, of_label = 'href="/items?path=bad%252Fone"', 'href="/items?label=repo&amp;value=web"'
    for address in ("/history", "/stage?path=bad%252Fone%2Fbuild"):
        page = (await visitor.get(address)).text
        assert of_path in page, address
        assert of_label in page, address
    assert of_path in (await visitor.get("/failures")).text


@pytest.mark.parametrize("address", ["https://forge.invalid/7", "javascript:alert(1)"])
async def test_an_item_says_what_its_forge_knows(
    site: Site, visitor: Visitor, address: str
) -> None:
    """Its title, author, commit and address, if that is one of the web."""

    async def tell(labels: Mapping[str, str]) -> About | None:
        if labels.get("repo") != "web":
            return None
        return About("Fix <b>", "ann", address, "a1 ann: Fix", address)

    site.service.engine.service(Abouts).add(tell)
    page = await visitor.get("/items?path=main")
    assert "Fix <b> by ann" in text_of(page)
    assert "a1 ann: Fix" in text_of(page)
    assert (f'href="{address}"' in page.text) is address.startswith("https")
    assert "Fix <b>" not in text_of(await visitor.get("/items?label=repo&value=api"))
