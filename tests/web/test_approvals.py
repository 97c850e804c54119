"""The button that approves the commit for which untrusted work waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pycurrent as current
from pycurrent.engine.site_links import stage_url
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .api import api_of
from .visits import Site, access, open_site, text_of

A = "a" * 40


@current.builder("test", level=current.Level.HARMLESS)
async def test(job: current.Job, key: str) -> str:
    return key


test.__test__ = False  # type: ignore[attr-defined]


def pipeline() -> current.Current[Any]:
    """The work of a fork, and our own."""
    with current.untrusted(current.Untrusted("octo/<web>", A)):
        theirs = test("theirs")
    return current.all([theirs, test("ours")])


def settings(folder: Path) -> WebSettings:
    """Those of a site at which people log in."""
    return WebSettings(access=access(folder))


async def waiting(site: Site) -> tuple[str, str]:
    """The job that waits, and the path of its stage."""
    site.add_user("ada", Role.ADMIN)
    site.add_user("bob", Role.BUILDER)
    await site.harness.settle()
    job = site.job("test theirs")
    (stage,) = [str(ref) for ref in site.harness.engine.opened.live.stages_of(job)]
    return job, stage


@pytest.mark.parametrize("where", ["job", "stage"])
async def test_a_commit_is_approved_where_its_work_waits(tmp_path: Path, where: str) -> None:
    """By admins; the page names the whole commit, and afterwards the one who has approved it."""
    async with open_site(tmp_path, pipeline, settings=settings(tmp_path)) as site:
        job, stage = await waiting(site)
        page = f"/job/{job}" if where == "job" else stage_url(stage)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        await bob.log_in("bob")
        seen = await bob.get(page)
        assert f"{A} of octo/<web>, waits for approval" in text_of(seen)
        assert ("Waits for approval of its commit" in text_of(seen)) == (where == "job")
        assert 'action="/approvals/approve"' not in seen.text
        assert (await bob.post("/approvals/approve", commit=A)).status_code == 403
        seen = await ada.get(page)
        assert ">Approve this commit<" in seen.text
        assert f'name="commit" value="{A}"' in seen.text
        assert ">Approve<" not in seen.text
        named = {"job": job} if where == "job" else {"stage": stage}
        done = await ada.post_and_follow("/approvals/approve", commit=A, reason="read it", **named)
        assert done.url.path == page.partition("?")[0]
        assert f"Commit {A} is approved: its work may begin." in text_of(done)
        assert "approved by ada, " in text_of(done)
        assert ": read it" in text_of(done)
        await site.harness.settle()
        assert site.harness.engine.stats.ok == 2
        (row,) = [row for row in site.harness.engine.audit(who="ada") if row.subject == A]
        assert (row.what, row.via, row.reason) == ("approve commit", "dashboard", "read it")
        seen = await ada.get(page)
        assert 'action="/approvals/approve"' not in seen.text
        assert "approved by ada, " in text_of(seen)


async def test_a_form_without_a_whole_commit_is_refused(tmp_path: Path) -> None:
    """With a notice that says why; nothing is approved."""
    async with open_site(tmp_path, pipeline, settings=settings(tmp_path)) as site:
        await waiting(site)
        ada = site.visitor()
        await ada.log_in("ada")
        page = await ada.post_and_follow("/approvals/approve", commit=A[:12])
        assert "is not the whole hash of a commit" in text_of(page)
        assert site.harness.engine.approvals == ()


async def test_our_own_work_has_no_button(tmp_path: Path) -> None:
    """Neither on its page nor on that of its stage; it is of no untrusted commit."""
    async with open_site(tmp_path, pipeline, settings=settings(tmp_path)) as site:
        await waiting(site)
        ada = site.visitor()
        await ada.log_in("ada")
        for page in (f"/job/{site.job('test ours')}", stage_url("nowhere"), stage_url("test ours")):
            assert "approv" not in (await ada.get(page)).text.partition("<main")[2].lower()


async def test_the_api_offers_no_approval_of_the_job(tmp_path: Path) -> None:
    """As it is the commit that is to be approved."""
    async with api_of(pipeline, tmp_path) as api:
        await api.harness.settle()
        job = next(job for job in (await api.get("/jobs"))["jobs"])
        told = await api.get(f"/jobs/{job['id']}")
        assert "approve" not in told["actions"]
