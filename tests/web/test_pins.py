"""Pins: the API, the page, and the boxes of the pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pycurrent as current
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .api import api_of
from .visits import access, open_site, text_of


def pipeline() -> current.Current[Any]:
    return current.Input("replicas", 2).get()


async def test_the_api_pins_and_unpins(tmp_path: Path) -> None:
    """With who has done so, why, and until when."""
    async with api_of(pipeline, tmp_path) as api:
        assert await api.get("/pins") == {"pins": []}
        await api.call("POST", "/inputs/set", {"name": "replicas", "value": 5})
        await api.harness.settle()
        values = (await api.get("/pins/values", path="replicas"))["values"]
        assert [(value["value"], value["change"]) for value in values] == [("5", 2), ("2", 1)]
        until = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1)).isoformat()
        new = {"path": "replicas", "change": 1, "reason": "a freeze", "until": until}
        status, answer = await api.call("POST", "/pins/set", new)
        assert status == 200
        (pin,) = answer["pins"]
        assert (pin["path"], pin["value"], pin["reason"]) == ("replicas", "2", "a freeze")
        assert (pin["in_force"], datetime.fromisoformat(pin["until"])) == (
            True,
            datetime.fromisoformat(until),
        )
        await api.harness.settle()
        assert api.harness.output == current.Ok(2)
        status, answer = await api.call("POST", "/pins/remove", {"path": "replicas"})
        assert (status, answer) == (200, {"pins": []})
        await api.harness.settle()
        assert api.harness.output == current.Ok(5)
        acts = [(act.via, act.what, act.subject) for act in api.harness.engine.audit()]
        assert acts[:2] == [("api", "unpin", "replicas"), ("api", "pin", "replicas")]


async def test_what_can_not_be_pinned_is_told(tmp_path: Path) -> None:
    """No such stage or pin is not found; a value that it has not had is refused."""
    async with api_of(pipeline, tmp_path) as api:
        for path, body, status in (
            ("/pins/set", {"path": "tail"}, 404),
            ("/pins/set", {"path": "replicas", "to": "9"}, 422),
            ("/pins/set", {"path": "replicas", "to": "2", "change": 1}, 422),
            ("/pins/set", {"path": "replicas", "until": "2026-01-02T00:00:00"}, 422),
            ("/pins/remove", {"path": "replicas"}, 404),
        ):
            assert (await api.call("POST", path, body))[0] == status, (path, body)
        assert await api.get("/pins") == {"pins": []}


async def test_stages_and_boxes_say_that_they_are_pinned(tmp_path: Path) -> None:
    """In the list of stages, in the diagram, and in what is told of changes."""
    async with api_of(pipeline, tmp_path) as api:
        before = (await api.get("/pipeline"))["nodes"]
        assert not {"note", "hold"} & before[0].keys()
        await api.call("POST", "/pins/set", {"path": "replicas", "reason": "a freeze"})
        await api.harness.settle()
        (stage,) = (await api.get("/stages"))["stages"]
        (node,) = (await api.get("/pipeline"))["nodes"]
        assert stage["note"] == node["note"]
        assert node["hold"] == "pinned"
        assert stage["note"].startswith("pinned at 2 by ")
        assert stage["note"].endswith(": a freeze")
        dot = api.harness.dot()
        assert f'tooltip="{stage["note"]}"' in dot


async def test_people_pin_on_the_page_of_inputs(tmp_path: Path) -> None:
    """What is wrong is told, and what was typed is kept; who may not pin sees what is pinned."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.BUILDER)
        site.add_user("bob", Role.VIEWER)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        await ada.post_and_follow("/inputs", name="replicas", value="7")
        await site.harness.settle()
        page = await ada.get("/inputs")
        assert "Nothing is pinned" in text_of(page)
        assert "<option>replicas</option>" in page.text
        wrong = await ada.post("/inputs/pin", stage="replicas", to="many", reason="load")
        assert wrong.status_code == 422
        assert "replicas has had no value 'many': it has had 7, 2" in text_of(wrong)
        assert 'value="many"' in wrong.text
        page = await ada.post_and_follow("/inputs/pin", stage="replicas", to="2", length="1d")
        assert "replicas is pinned at 2." in text_of(page)
        await site.harness.settle()
        assert site.harness.output == current.Ok(2)
        await bob.log_in("bob")
        seen = await bob.get("/inputs")
        assert "replicas 2 Pinned by ada" in text_of(seen)
        assert "Unpin" not in seen.text
        assert (await bob.post("/inputs/unpin", stage="replicas")).status_code == 403
        page = await ada.post_and_follow("/inputs/unpin", stage="replicas", reason="mended")
        assert "replicas is pinned no longer." in text_of(page)
        await site.harness.settle()
        assert site.harness.output == current.Ok(7)
        gone = await ada.post("/inputs/unpin", stage="replicas")
        assert "'replicas' is not pinned: nothing is pinned" in text_of(gone)


async def test_stages_that_are_pinned_say_so_without_scripts(tmp_path: Path) -> None:
    """In the table of stages."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.VIEWER))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        await site.harness.settle()
        site.harness.engine.pin("replicas", by="ann")
        await site.harness.settle()
        assert "replicas pinned at 2 by ann" in text_of(await site.visitor().get("/"))


class Poll(current.Builder[str, str]):
    id = "poll"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return key


async def test_the_page_of_a_job_says_that_a_stage_is_held_at_its_result(tmp_path: Path) -> None:
    """Beside the stage that needs it."""

    def polled() -> current.Current[Any]:
        schedule = current.Schedule(valid_for=timedelta(hours=1))
        return current.component("head", lambda: Poll().get("main", schedule=schedule))

    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.VIEWER))
    async with open_site(tmp_path, polled, settings=settings) as site:
        await site.harness.settle()
        site.harness.engine.pin("head", by="ann", reason="a freeze")
        await site.harness.settle()
        (job,) = site.harness.history()
        page = text_of(await site.visitor().get(f"/job/{job.job_id}"))
        assert "pinned at main by ann: a freeze" in page


async def test_a_stage_is_pinned_on_its_page(tmp_path: Path) -> None:
    """At one of the values that it has had; then the page says so, and ends it."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.BUILDER)
        ada = site.visitor()
        await ada.log_in("ada")
        await ada.post_and_follow("/inputs", name="replicas", value="7")
        await site.harness.settle()
        page = await ada.get("/stage?path=replicas")
        assert '<option value="1">2</option>' in page.text
        pinned = {"stage": "replicas", "back": "/stage?path=replicas", "which": "1", "length": "1h"}
        page = await ada.post_and_follow("/inputs/pin", **pinned)
        assert "replicas is pinned at 2." in text_of(page)
        await site.harness.settle()
        assert "Pinned at 2 by ada" in text_of(await ada.get("/stage?path=replicas"))
        back = "/stage?path=replicas"
        page = await ada.post_and_follow("/inputs/unpin", stage="replicas", back=back)
        assert "Not pinned: it follows its input." in text_of(page)
