"""Pauses: the API, the page, and what waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pycurrent as current
from pycurrent.engine import JobState
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .api import api_of
from .visits import access, open_site, text_of


class Build(current.Builder[str, str]):
    id = "build"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.AVERAGE, pool=POOL)
        return key


POOL = current.Pool("builds", 5)
BUILD = Build()


def pipeline() -> current.Current[Any]:
    names = current.Input("names", ["web"]).get()
    return names.list_map(lambda name: current.component("build", BUILD.get, name))


async def test_the_api_lists_pauses_and_resumes(tmp_path: Path) -> None:
    """With who, when, why, and until when; the job that waits says for what."""
    async with api_of(pipeline, tmp_path) as api:
        await api.harness.settle()
        new = {"pool": "builds", "reason": "the disk is full", "until": "2126-01-01T00:00:00Z"}
        status, answer = await api.call("POST", "/pauses/pause", new)
        assert status == 200
        (pause,) = answer["pauses"]
        assert (pause["what"], pause["kind"], pause["name"]) == ("pool builds", "pool", "builds")
        assert (pause["reason"], pause["until"]) == ("the disk is full", "2126-01-01T00:00:00Z")
        assert answer == await api.get("/pauses")
        api.harness.engine.set_input("names", ["web", "shop"])
        await api.harness.settle()
        (job,) = (await api.get("/jobs"))["jobs"]
        assert (job["state"], job["wait"]["reason"]) == ("paused", "pause")
        assert (job["wait"]["what"], job["wait"]["why"]) == ("pool builds", "the disk is full")
        (reason, *_) = (await api.get("/why", of=job["id"]))["reasons"]
        assert (reason["type"], reason["what"]) == ("waits for resume", "pool builds")
        held = [node for node in (await api.get("/pipeline"))["nodes"] if "hold" in node]
        (node,) = held
        assert (node["id"], node["state"], node["hold"]) == ("shop/build", "ready", "paused")
        assert node["note"].startswith("pool builds is paused by ")
        assert node["note"].endswith(" until 2126-01-01 00:00:00 UTC: the disk is full")
        status, answer = await api.call("POST", "/pauses/resume", {"pool": "builds"})
        assert (status, answer) == (200, {"pauses": []})
        await api.harness.settle()
        assert not any("hold" in node for node in (await api.get("/pipeline"))["nodes"])
        assert api.harness.output == current.Ok(["web", "shop"])
        acts = [(act.via, act.what, act.subject) for act in api.harness.engine.audit()]
        assert acts == [("api", "resume", "pool builds"), ("api", "pause", "pool builds")]


async def test_what_can_not_be_paused_is_refused(tmp_path: Path) -> None:
    """With the message of the engine."""
    async with api_of(pipeline, tmp_path) as api:
        for new, why in (
            ({}, "give one of a path, level= and pool="),
            ({"path": "api"}, "the pipeline has no stage 'api' now"),
            ({"level": "high"}, "'high' is not a level"),
            ({"pool": "builds", "until": "2020-01-01T00:00:00Z"}, "has passed"),
        ):
            status, answer = await api.call("POST", "/pauses/pause", new)
            assert status == 422
            assert why in answer["detail"]
        status, answer = await api.call("POST", "/pauses/resume", {"pool": "builds"})
        why = "pool builds is not paused: nothing is"
        assert (status, answer["detail"]) == (422, why)


async def test_people_pause_and_resume_on_their_page(tmp_path: Path) -> None:
    """What is wrong is told, and what was typed is kept; who may not pause sees what is paused."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.ADMIN)
        site.add_user("bob", Role.BUILDER)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        await bob.log_in("bob")
        assert 'href="/pauses"' in (await ada.get("/jobs")).text
        assert 'href="/pauses"' not in (await bob.get("/jobs")).text
        assert "Nothing is paused." in text_of(await ada.get("/pauses"))
        wrong = await ada.post("/pauses", kind="path", name="api", reason="a try")
        assert wrong.status_code == 422
        assert "the pipeline has no stage 'api' now" in text_of(wrong)
        assert 'value="api"' in wrong.text
        wrong = await ada.post("/pauses", kind="path", name="web", length="2h", reason="a try")
        assert wrong.status_code == 422
        assert "length is one of 1h, 8h, 1d, 7d, or empty, not '2h'" in text_of(wrong)
        page = await ada.post_and_follow(
            "/pauses", kind="path", name="web", length="1h", reason="a try"
        )
        assert "path web is paused from now on." in text_of(page)
        assert "Paused by ada" in text_of(page)
        site.harness.engine.set_input("names", ["shop"])
        await site.harness.settle()
        seen = await bob.get("/pauses")
        assert "web stages at this path and below it Paused by ada" in text_of(seen)
        assert 'action="/pauses/resume"' not in seen.text
        assert 'href="/pauses"' in (await bob.get("/jobs")).text
        assert (await bob.post("/pauses/resume", kind="path", name="web")).status_code == 403
        page = await ada.post_and_follow("/pauses/resume", kind="path", name="web")
        assert "path web is resumed." in text_of(page)
        assert site.harness.engine.pauses == ()


async def test_people_pause_where_they_see_what_they_pause(tmp_path: Path) -> None:
    """On the page of a stage or of an item, which say so; all pauses are on the page of inputs."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.ADMIN)
        site.add_user("bob", Role.BUILDER)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        await bob.log_in("bob")
        item, stage = "/items?path=web", "/stage?path=web%2Fbuild"
        assert "Not paused: the jobs of its stages begin once they may." in text_of(
            await ada.get(item)
        )
        assert "Not paused" not in text_of(await bob.get(item))
        page = await ada.post_and_follow(
            "/pauses", kind="path", name="web", length="1h", reason="a try", back=item
        )
        assert page.request.url.path == "/items"
        assert "Pause Paused by ada" in text_of(page)
        seen = await bob.get(stage)
        assert "Pause of web, above it Paused by ada" in text_of(seen)
        assert 'action="/pauses/resume"' not in seen.text
        assert "web stages at this path and below it Paused by ada" in text_of(
            await bob.get("/inputs")
        )
        assert 'aria-label="Resume path web"' in (await ada.get("/inputs")).text
        page = await ada.post_and_follow("/pauses/resume", kind="path", name="web", back=stage)
        assert page.request.url.path == "/stage"
        assert "Not paused: its jobs begin once they may." in text_of(page)


async def test_the_pages_of_a_job_say_for_what_it_waits(tmp_path: Path) -> None:
    """That of the job, and that of all jobs."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.ADMIN))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        await site.harness.settle()
        site.harness.engine.pause(level="average", by="ann", reason="too hot")
        site.harness.engine.set_input("names", ["shop"])
        await site.harness.settle()
        job = site.harness.find("build shop")
        assert job.job is not None
        assert job.job.state is JobState.PAUSED
        waits = "level average to be resumed (paused by ann: too hot)"
        for address in ("/jobs", f"/job/{job.id}"):
            page = text_of(await site.visitor().get(address))
            assert waits in page
            assert "paused" in page
