"""Under the title of a stage or a job stands why it is so, and the button that ends its wait."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import pycurrent as current
from pycurrent.engine import Pausable
from pycurrent.term import Current, Var
from pycurrent.web.users import Role

from .visits import Reply, Visitor, open_site, reply, text_of


def pipeline() -> Current[Any]:
    """One stage fails and blocks another, one waits for confirmation."""
    bad = reply("bad")
    after = current.component("after", Reply().get, bad)
    return current.all([bad, after, reply("risky")])


def remedy(page: httpx.Response) -> tuple[str, dict[str, str], str]:
    """The form below the title: its action, its hidden fields, the text of its button."""
    panel = page.text.partition('<div class="because">')[2].partition("</form>")[0]
    action = re.search(r'action="([^"]+)"', panel)
    button = re.search(r"<button[^>]*>([^<]+)<", panel)
    assert action is not None
    assert button is not None
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', panel))
    return action[1], fields, button[1]


async def press(visitor: Visitor, page: httpx.Response) -> httpx.Response:
    action, fields, _ = remedy(page)
    del fields["csrf_token"]
    return await visitor.post_and_follow(action, **fields, reason="it is time")


async def test_a_wait_for_a_person_is_ended_where_it_is_told(tmp_path: Path) -> None:
    """The line says what it waits for; one is back on the page of the stage."""
    async with open_site(tmp_path, pipeline) as site:
        visitor = site.visitor()
        page = await visitor.get("/stage?path=reply%20risky")
        assert "waits until somebody approves it: its level is dangerous" in text_of(page)
        assert remedy(page)[2] == "Approve"
        page = await press(visitor, page)
        assert page.request.url.path == "/stage"
        await site.harness.settle()
        assert site.harness.stats.ok == 1


@current.builder("flaky", level=current.Level.HARMLESS, retry=current.Retry(real=1))
async def flaky(job: current.Job, key: str) -> str:
    raise current.Failure(f"{key} was not there")


async def test_a_pause_before_a_retry_is_ended(tmp_path: Path) -> None:
    """The work is tried at once, and begins with a first attempt."""
    async with open_site(tmp_path, lambda: flaky("the host")) as site:
        visitor = site.visitor()
        page = await visitor.get("/stage?path=flaky%20the%20host")
        assert "attempt 2 of 2: the host was not there" in text_of(page)
        assert remedy(page)[2] == "Run now"
        page = await press(visitor, page)
        assert page.request.url.path == "/stage"
        await site.harness.settle()
        assert len(site.harness.engine.history(op="flaky")) == 2
        (act,) = site.harness.engine.audit(what="rebuild")
        assert act.reason == "it is time"


async def test_a_failure_is_rebuilt_from_its_stage(tmp_path: Path) -> None:
    """The stages that it blocks name it, with a link."""
    async with open_site(tmp_path, pipeline) as site:
        visitor = site.visitor()
        blocked = await visitor.get("/stage?path=after")
        assert 'It needs <a href="/stage?path=reply%20bad">reply bad</a>.' in blocked.text
        page = await visitor.get("/stage?path=reply%20bad")
        assert remedy(page)[2] == "Rebuild"
        page = await press(visitor, page)
        assert page.request.url.path == "/stage"
        await site.harness.settle()
        assert [run.build for run in site.harness.history("reply") if run.key == "bad"] == [0, 1]


async def test_a_pause_is_ended_from_the_stage_that_waits_for_it(tmp_path: Path) -> None:
    """The button names what is resumed."""
    async with open_site(tmp_path, pipeline) as site:
        site.service.pauses.pause(Pausable.of(level="average"), by="ann", reason="night")
        site.service.jobs.rebuild(site.job("reply bad"), by="ann")
        await site.harness.settle()
        visitor = site.visitor()
        page = await visitor.get("/stage?path=reply%20bad")
        assert remedy(page)[2] == "Resume level average"
        page = await press(visitor, page)
        assert page.request.url.path == "/stage"
        assert site.service.pauses.all() == ()


async def test_the_difference_to_the_last_run_is_shown(tmp_path: Path) -> None:
    """What was before, and what is now, field by field."""
    key = Var("key", "good")

    def changing() -> Current[Any]:
        return current.component("changing", Reply().get, key.get())

    async with open_site(tmp_path, changing) as site:
        key.set("better")
        await site.harness.settle()
        job = site.harness.history("reply")[-1].job_id
        for address in ("/stage?path=changing", f"/job/{job}"):
            page = text_of(await site.visitor().get(address))
            assert "1 difference to the last run" in page, address
            assert "What Before Now key good better" in page, address


@pytest.mark.parametrize("path", ["/stage?path=reply%20risky", "/stage?path=reply%20bad"])
async def test_who_may_not_end_a_wait_sees_no_button(tmp_path: Path, path: str) -> None:
    """Only why it waits."""
    async with open_site(tmp_path, pipeline) as site:
        site.add_user("bob", Role.VIEWER)
        bob = site.visitor()
        await bob.log_in("bob")
        page = (await bob.get(path)).text
        assert '<div class="because">' in page
        assert "<form" not in page.partition('<div class="because">')[2].partition("</div>")[0]
