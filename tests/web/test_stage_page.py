"""The page of a stage: why it is as it is, since when, its labels, and its jobs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import pycurrent as current
from pycurrent.engine.site_links import stage_url

from .visits import NASTY, Reply, Site, open_site, text_of

ODD = f"mac/%{NASTY}"


class Inputs:
    """The things that change below a pipeline."""

    def __init__(self) -> None:
        self.head = current.Var("head", "good")
        self.names = current.Var[list[str]]("names", [ODD])
        self.is_down = False

    def pipeline(self) -> current.Current[object]:
        @current.builder("ask", level=current.Level.HARMLESS)
        async def ask(job: current.Job, key: str) -> str:
            if self.is_down:
                raise current.Failure("no answer")
            return key

        with current.labels(repo="web", note=NASTY):
            replied = current.component("reply", Reply().get, self.head.get())
        after = current.component("after", Reply().get, replied)
        no_such = current.Failed("no such")
        nothing: current.Primitive[str] = current.Primitive.constant("").map_output(
            lambda _: no_such
        )
        dead = current.component("dead", lambda: nothing)
        return current.all([after, dead, self.names.get().list_map(ask)])


@pytest.fixture
def inputs() -> Inputs:
    return Inputs()


@pytest_asyncio.fixture
async def site(tmp_path: Path, inputs: Inputs) -> AsyncIterator[Site]:
    async with open_site(tmp_path, inputs.pipeline) as opened:
        yield opened


async def page_of(site: Site, path: str) -> str:
    answer = await site.visitor().get(stage_url(path))
    assert answer.status_code == 200
    assert NASTY not in answer.text
    return text_of(answer)


async def test_a_stage_says_why_it_is_as_it_is_and_since_when(site: Site, inputs: Inputs) -> None:
    """With its labels and jobs, the change that it is from, and the way to what it needs."""
    inputs.head.set("bad")
    await site.harness.settle()
    page = await page_of(site, "reply")
    assert "reply failed" in page
    assert f"Labels repo=web note={NASTY}" in page
    assert "was run because it has not been built yet" in page
    assert "key: good → bad" in page
    assert "Health new It fails since 2026" in page
    assert "first by this job ; it was well until this one . Its work was not tried" in page
    assert "again. From head: good → bad, at" in page
    assert page.index("reply bad") < page.index("reply good #0")
    page = await page_of(site, "after")
    assert "after blocked" in page
    assert "it needs reply" in page


async def test_a_flaky_stage_names_the_jobs_by_which_it_is(site: Site, inputs: Inputs) -> None:
    """So does the page of the one that failed, with the way back to the stage."""
    (path,) = [stage.path for stage in site.service.stages_with("*/ask")]
    inputs.is_down = True
    site.harness.find(f"ask {ODD}").rebuild()
    await site.harness.settle()
    page = await page_of(site, path)
    assert f"{path} failed" in page
    assert "Health flaky It fails since 2026" in page
    assert "one job failed and another passed for one key, without a change" in page
    answer = await site.visitor().get(f"/job/{site.job(f'ask {ODD}')}")
    assert f'href="{stage_url(path)}"' in answer.text
    assert "; it is flaky" in text_of(answer)
    assert "Flaky: one job failed and another passed for its key" in text_of(answer)


async def test_a_stage_that_is_gone_is_known_by_its_records(site: Site, inputs: Inputs) -> None:
    """Its job names it, too, as one that has used it before."""
    (path,) = [stage.path for stage in site.service.stages_with("*/ask")]
    job = site.job(f"ask {ODD}")
    inputs.names.set([])
    await site.harness.settle()
    page = await page_of(site, path)
    assert f"{path} not in the pipeline now Its last job" in page
    assert "Health well It is well since" in page
    named = text_of(await site.visitor().get(f"/job/{job}"))
    assert f"Used before by {path.replace('/', ' / ')}" in named


async def test_a_stage_without_a_job_has_a_page(site: Site) -> None:
    """It has failed by itself, say."""
    page = await page_of(site, "dead")
    assert "dead failed no such" in page
    assert "Why it has failed by itself" in page
    assert "Health unknown Not known: no run of it has ended." in page


@pytest.mark.parametrize("query", ["?path=nowhere", "", "?path=2026-01-01/000000-reply-000000"])
async def test_a_stage_that_nobody_knows_has_no_page(site: Site, query: str) -> None:
    """A job is no stage, and has a page of its own."""
    answer = await site.visitor().get(f"/stage{query}")
    assert answer.status_code == 404
    assert "no stage has or had the path" in text_of(answer)
