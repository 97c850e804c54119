"""The triggers that people fire: the API, and the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pycurrent as current
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .api import api_of
from .visits import access, open_site, text_of


@dataclass(frozen=True)
class Release:
    """What to release."""

    version: str
    channel: Literal["beta", "stable"] = "beta"
    parts: int = 1


RELEASE = current.Trigger("release", Release)


def pipeline() -> current.Current[Any]:
    return RELEASE.get().map(lambda fired: None if fired is None else fired.params)


async def test_the_api_lists_and_fires_triggers(tmp_path: Path) -> None:
    """With their parameters, and with who has fired them, when and why."""
    async with api_of(pipeline, tmp_path) as api:
        (trigger,) = (await api.get("/triggers"))["triggers"]
        assert (trigger["name"], trigger["newest"], trigger["pending"]) == ("release", None, [])
        assert [(one["name"], one["default"], one["choices"]) for one in trigger["fields"]] == [
            ("version", None, []),
            ("channel", "beta", ["beta", "stable"]),
            ("parts", "1", []),
        ]
        new = {"name": "release", "params": {"version": "1", "parts": 2}, "reason": "it is Friday"}
        assert await api.call("POST", "/triggers/fire", new) == (200, {"id": 1})
        await api.harness.settle()
        assert api.harness.output == current.Ok(Release("1", parts=2))
        (trigger,) = (await api.get("/triggers"))["triggers"]
        (firing,) = trigger["pending"]
        assert firing == trigger["newest"]
        assert firing["params"] == {"version": "1", "channel": "beta", "parts": 2}
        assert (firing["reason"], firing["done"]) == ("it is Friday", None)
        (act,) = api.harness.engine.audit()
        assert (act.via, act.what, act.subject, act.reason) == (
            "api",
            "fire",
            "release",
            "it is Friday",
        )


async def test_wrong_parameters_are_refused_by_the_api(tmp_path: Path) -> None:
    """In JSON, and as they are typed."""
    async with api_of(pipeline, tmp_path) as api:
        for new, status, why in (
            ({"name": "deploy"}, 404, "the pipeline uses no trigger 'deploy': it uses 'release'"),
            ({"name": "release", "as_typed": True}, 422, "needs the parameter 'version'"),
            ({"name": "release", "params": {"version": 1}}, 422, "field version is of type int"),
        ):
            found, answer = await api.call("POST", "/triggers/fire", new)
            assert (found, why in answer["detail"]) == (status, True), answer
        typed = {"name": "release", "as_typed": True, "params": {"version": "1", "parts": "3"}}
        assert (await api.call("POST", "/triggers/fire", typed))[0] == 200
        await api.harness.settle()
        assert api.harness.output == current.Ok(Release("1", parts=3))


async def test_people_fire_triggers_by_a_form(tmp_path: Path) -> None:
    """It is made of the dataclass; what is wrong is told, and what was typed is kept."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.BUILDER)
        site.add_user("bob", Role.VIEWER)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        page = await ada.get("/inputs")
        assert "Not fired yet" in text_of(page)
        assert "<option selected>beta</option><option>stable</option>" in page.text
        typed = {"param-version": "1", "param-channel": "stable", "param-parts": "many"}
        wrong = await ada.post("/inputs/fire", name="release", **typed)
        assert wrong.status_code == 422
        assert "'many' is refused: the parameter 'parts' is of type str, not int" in text_of(wrong)
        assert "<option selected>stable</option>" in wrong.text
        typed["param-parts"] = "2"
        page = await ada.post_and_follow("/inputs/fire", name="release", reason="why", **typed)
        assert "release was fired: firing 1." in text_of(page)
        assert "Firing 1 by ada" in text_of(page)
        stage = await ada.get("/stage?path=release")
        assert "Trigger release 1 pending firing" in text_of(stage)
        assert 'action="/inputs/fire"' in stage.text
        await bob.log_in("bob")
        assert 'action="/inputs/fire"' not in (await bob.get("/stage?path=release")).text
        assert "Firing 1 by ada" in text_of(await bob.get("/inputs"))
        assert (await bob.post("/inputs/fire", name="release", **typed)).status_code == 403
        await site.harness.settle()
        assert site.harness.output == current.Ok(Release("1", "stable", 2))
