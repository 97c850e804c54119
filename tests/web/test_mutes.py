"""Mutes: the API, the pages, and what shows a muted failure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pycurrent as current
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .api import api_of
from .visits import access, open_site, text_of


class Test(current.Builder[str, str]):
    __test__ = False
    id = "test"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.AVERAGE)
        if key == "web":
            raise current.Failure("no answer in 3 s")
        return key


TEST = Test()


class Failing(current.Builder[str, str]):
    id = "failing"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.AVERAGE)
        if key != "api":
            raise current.Failure(f"{key} gives no answer")
        return key


FAILING = Failing()


def pipeline() -> current.Current[Any]:
    with current.labels(repo="shop"):
        return current.all({name: _test(name) for name in ("web", "api")})


def _test(name: str) -> current.Current[str]:
    return current.component(f"test {name}", lambda: TEST.get(name))


async def test_the_api_lists_mutes_and_unmutes(tmp_path: Path) -> None:
    """With who, for whom, when, why, and until when; everything that tells the state says so."""
    async with api_of(pipeline, tmp_path) as api:
        await api.harness.settle()
        until = api.harness.clock.now().replace(microsecond=0)
        end = until.replace(day=until.day + 1).isoformat().replace("+00:00", "Z")
        new = {"path": "test web", "owner": "cleo", "reason": "known", "until": end}
        status, answer = await api.call("POST", "/mutes/set", new)
        assert status == 200
        (mute,) = answer["mutes"]
        assert (mute["what"], mute["kind"], mute["name"]) == ("path test web", "path", "test web")
        assert (mute["owner"], mute["reason"], mute["until"]) == ("cleo", "known", end)
        assert mute["passes"] == 0
        assert answer == await api.get("/mutes")
        await api.harness.settle()
        overview = await api.get("/overview")
        assert (overview["result"]["state"], overview["counts"]["muted"]) == ("ok", 1)
        (shown,) = overview["stages"]
        assert (shown["state"], shown["failure"]) == ("muted", "no answer in 3 s")
        assert re.fullmatch(r"muted by .* for cleo until .* UTC: known", shown["note"])
        (found,) = (await api.get("/stages", path="test web"))["stages"]
        assert (found["state"], found["muted"], found["final"]) == ("muted", True, True)
        assert found["note"] == shown["note"]
        (node,) = [
            node for node in (await api.get("/pipeline"))["nodes"] if node["label"] == "test web"
        ]
        assert (node["state"], node["note"]) == ("muted", shown["note"])
        (reason, *_) = (await api.get("/why", of="test web"))["reasons"]
        assert (reason["type"], reason["what"]) == ("muted", "path test web")
        explained = await api.get(f"/jobs/{node['job_id']}/explain")
        assert [mute["stage"] for mute in explained["mutes"]] == ["test web"]
        assert any("is muted by" in line for line in explained["text"])
        status, answer = await api.call("POST", "/mutes/remove", {"path": "test web"})
        assert (status, answer) == (200, {"mutes": []})
        acts = [(act.via, act.what, act.subject) for act in api.harness.engine.audit()]
        assert acts == [("api", "unmute", "path test web"), ("api", "mute", "path test web")]


async def test_a_fingerprint_is_muted_as_the_failures_tell_it(tmp_path: Path) -> None:
    """And these then tell that it is."""
    async with api_of(pipeline, tmp_path) as api:
        await api.harness.settle()
        (group,) = (await api.get("/failures"))["groups"]
        assert group["muted"] is None
        new = {"fingerprint": group["fingerprint"], "reason": "the server is away"}
        assert (await api.call("POST", "/mutes/set", new))[0] == 200
        await api.harness.settle()
        (group,) = (await api.get("/failures"))["groups"]
        assert group["muted"].endswith(": the server is away")
        assert api.harness.stats.muted == 1


async def test_stages_that_fail_now_are_muted_together(tmp_path: Path) -> None:
    """Those that pass the filter, by their paths; a dry run only says which these are."""

    def four() -> current.Current[Any]:
        return current.constant(["web", "web two", "ios", "api"]).list_map(_each)

    async with api_of(four, tmp_path) as api:
        await api.harness.settle()
        act = {"kind": "real", "path": "web*/*"}
        paths = ["web/test", "web two/test"]

        async def ask(more: dict[str, Any]) -> dict[str, str]:
            status, answer = await api.call("POST", "/failures/mute", {**act, **more})
            assert (status, answer["complete"]) == (200, True), answer
            return {one["stage"]: one["outcome"] for one in answer["outcomes"]}

        assert await ask({"dry_run": True}) == dict.fromkeys(paths, "would-be-done")
        assert (await api.get("/mutes"))["mutes"] == []
        assert await ask({"reason": "known", "owner": "cleo"}) == dict.fromkeys(paths, "done")
        muted = (await api.get("/mutes"))["mutes"]
        assert {(one["name"], one["owner"], one["reason"]) for one in muted} == {
            (path, "cleo", "known") for path in paths
        }
        await api.harness.settle()
        assert (api.harness.stats.muted, api.harness.stats.failed) == (2, 1)
        # These do not fail any more.
        assert (await api.call("POST", "/failures/mute", {**act, "reason": "again"}))[0] == 404


def _each(name: current.Current[str]) -> current.Current[str]:
    return current.component("test", FAILING.get, name)


async def test_many_stages_are_muted_only_with_a_filter_and_a_reason(tmp_path: Path) -> None:
    """Or nothing is done; the same holds for a time that is too far, which each refuses."""
    async with api_of(pipeline, tmp_path) as api:
        await api.harness.settle()
        for act, code, why in (
            ({"reason": "known"}, 422, "say which stages are meant"),
            ({"kind": "real"}, 422, "a mute needs a reason"),
            ({"path": "nope/*", "reason": "known"}, 404, "no stage that fails now"),
            ({"kind": "odd", "reason": "known"}, 422, "kind"),
        ):
            status, answer = await api.call("POST", "/failures/mute", act)
            assert (status, why in answer["detail"]) == (code, True), answer
        far = {"kind": "real", "reason": "known", "until": "2126-01-01T00:00:00Z"}
        status, answer = await api.call("POST", "/failures/mute", far)
        (outcome,) = answer["outcomes"]
        assert (outcome["outcome"], "30 days at most" in outcome["why"]) == ("refused", True)
        assert (await api.get("/mutes"))["mutes"] == []


async def test_what_can_not_be_muted_is_refused(tmp_path: Path) -> None:
    """With the message of the engine."""
    async with api_of(pipeline, tmp_path) as api:
        await api.harness.settle()
        for new, code, why in (
            ({"reason": "known"}, 422, "give one of a path and fingerprint="),
            ({"path": "test web"}, 422, "a mute needs a reason"),
            ({"path": "x", "reason": "known"}, 404, "no stage of the pipeline has the path 'x'"),
            (
                {"path": "test web", "reason": "known", "until": "2126-01-01T00:00:00Z"},
                422,
                "30 days at most",
            ),
        ):
            status, answer = await api.call("POST", "/mutes/set", new)
            assert (status, why in answer["detail"]) == (code, True), answer
        status, answer = await api.call("POST", "/mutes/remove", {"path": "test web"})
        assert (status, answer["detail"]) == (404, "path test web is not muted: nothing is muted")


async def test_badges_and_metrics_leave_out_what_is_muted(tmp_path: Path) -> None:
    """What has nothing but a muted failure is muted there."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.ADMIN), metrics_stages=5)
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        await site.harness.settle()
        site.harness.engine.mute("test web", by="ada", reason="known")
        await site.harness.settle()
        visitor = site.visitor()
        for address, word in (
            ("/badge.svg", "ok"),
            ("/badge.svg?label=repo=shop", "ok"),
            ("/badge/test%20web.svg", "muted"),
        ):
            assert f": {word}</title>" in (await visitor.get(address)).text, address
        metrics = (await visitor.get("/metrics")).text
        assert 'pycurrent_stages{state="failed"} 0.0' in metrics
        assert 'pycurrent_stages{state="muted"} 1.0' in metrics
        assert 'stage="test web"' not in metrics


async def test_people_mute_and_unmute_on_their_pages(tmp_path: Path) -> None:
    """What is wrong is told, and what was typed is kept; a viewer only sees what is muted."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.BUILDER)
        site.add_user("bob", Role.VIEWER)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        await bob.log_in("bob")
        await site.harness.settle()
        assert 'href="/mutes"' not in (await ada.get("/jobs")).text
        assert "Nothing is muted." in text_of(await ada.get("/mutes"))
        wrong = await ada.post("/mutes", kind="path", name="test x", reason="a try")
        assert wrong.status_code == 422
        assert "no stage of the pipeline has the path 'test x'" in text_of(wrong)
        assert 'value="test x"' in wrong.text
        page = await ada.post_and_follow(
            "/mutes", kind="path", name="test web", page="stage", owner="cleo", reason="known"
        )
        shown = text_of(page)
        assert "path test web is muted from now on." in shown
        assert "cleo is to fix it." in shown
        await site.harness.settle()
        shown = text_of(await ada.get("/stage?path=test%20web"))
        assert "test web muted" in shown
        assert "its failure is muted by ada" in shown
        job = text_of(await ada.get(f"/job/{site.harness.find('test web').id}"))
        assert "Muted path test web by ada until" in job
        seen = await bob.get("/mutes")
        assert "test web stage Muted by ada" in text_of(seen)
        assert 'action="/mutes/remove"' not in seen.text
        assert 'href="/mutes"' in (await bob.get("/jobs")).text
        table = text_of(await bob.get("/"))
        assert "1 muted" in table
        page = await ada.post_and_follow("/mutes/remove", kind="path", name="test web")
        assert "path test web is muted no longer." in text_of(page)
        assert site.harness.engine.mutes == ()


async def test_the_failures_lead_to_the_form_of_a_mute(tmp_path: Path) -> None:
    """Which names the fingerprint then; once it is muted they say so instead."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.ADMIN))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        await site.harness.settle()
        visitor = site.visitor()
        page = (await visitor.get("/failures")).text
        found = re.search(r'href="(/mutes\?kind=fingerprint&amp;name=(\w+))"', page)
        assert found is not None
        form = (await visitor.get(found[1].replace("&amp;", "&"))).text
        assert f'value="{found[2]}"' in form
        assert '<option value="fingerprint" selected>' in form
        site.harness.engine.mute(fingerprint=found[2], by="ada", reason="known")
        muted = await visitor.get("/failures")
        assert "muted by ada until" in text_of(muted)
        assert found[1] not in muted.text


@current.builder("judge", level=current.Level.HARMLESS)
async def judge(job: current.Job, key: str) -> str:
    """Fails for what is bad."""
    if key.startswith("bad"):
        raise current.Failure(f"{key} is no good")
    return key


async def test_the_failures_of_an_item_are_muted_together(tmp_path: Path) -> None:
    """After a look at how many they are; what is not there any more is told."""

    def pipeline() -> current.Current[Any]:
        def item(name: current.Current[str]) -> current.Current[Any]:
            bad = [judge(current.constant(f"bad {n}"), name=f"check {n}") for n in "123"]
            return current.all([*bad, judge(name, name="fine")])

        return current.constant(["web", "shop"]).list_map(item)

    async with open_site(tmp_path, pipeline) as site:
        visitor = site.visitor()
        page = await visitor.get("/failures?by=item")
        assert page.text.count(">Mute 3 stages</summary>") == 2
        form = next(f for f in page.text.split("<form") if "/mutes/many" in f and "web/" in f)
        paths = re.findall(r'name="stage" value="([^"]+)"', form)
        assert len(paths) == 3
        sent = await visitor.post_and_follow(
            "/mutes/many",
            stage=[*paths, "gone"],
            reason="it is known",
            back="/failures?by=item",
        )
        after = text_of(sent)
        assert "3 stages are muted from now on" in after
        assert "gone" in after
        await site.harness.settle()
        muted = {mute.what.name for mute in site.service.mutes.all()}
        assert muted == set(paths)
        left = await visitor.get("/failures?by=item")
        assert left.text.count(">Mute 3 stages</summary>") == 1
        assert (await visitor.post("/mutes/many", reason="why")).status_code == 400
