"""The inputs that people set: the API, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pycurrent as current
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .api import api_of
from .visits import access, open_site, text_of


def pipeline() -> current.Current[Any]:
    channel = current.Input("channel", "beta")
    return current.pair(current.Input("replicas", 2).get(), channel.get())


async def test_the_api_lists_and_sets_inputs(tmp_path: Path) -> None:
    """With who has set them, when and why."""
    async with api_of(pipeline, tmp_path) as api:
        channel, replicas = (await api.get("/inputs"))["inputs"]
        assert (channel["name"], channel["value"], channel["type"]) == ("channel", "beta", "str")
        assert (replicas["value"], replicas["is_set"], replicas["by"]) == (2, False, None)
        new = {"name": "replicas", "value": 5, "reason": "more load"}
        status, answer = await api.call("POST", "/inputs/set", new)
        assert status == 200
        replicas = answer["inputs"][1]
        assert (replicas["value"], replicas["is_set"], replicas["reason"]) == (5, True, "more load")
        await api.harness.settle()
        assert api.harness.output == current.Ok((5, "beta"))
        (act,) = api.harness.engine.audit()
        assert (act.via, act.what, act.subject, act.after) == ("api", "set input", "replicas", "5")


async def test_a_value_comes_as_json_or_as_it_is_typed(tmp_path: Path) -> None:
    """A text that is typed is a number where the input takes one; a text in JSON is not."""
    async with api_of(pipeline, tmp_path) as api:
        new: dict[str, Any] = {"name": "replicas", "value": "5"}
        status, answer = await api.call("POST", "/inputs/set", new)
        why = "'\"5\"' is refused: the value of input 'replicas' is of type str, not int"
        assert (status, answer["detail"]) == (422, why)
        assert (await api.call("POST", "/inputs/set", {**new, "as_typed": True}))[0] == 200
        status, answer = await api.call("POST", "/inputs/set", {"name": "size", "value": 1})
        why = "the pipeline uses no input 'size': it uses 'channel', 'replicas'"
        assert (status, answer["detail"]) == (404, why)
        await api.harness.settle()
        assert api.harness.output == current.Ok((5, "beta"))


async def test_people_set_inputs_on_their_page(tmp_path: Path) -> None:
    """What is wrong is told, and what was typed is kept; who may not set them sees them."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.BUILDER)
        site.add_user("bob", Role.VIEWER)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        page = await ada.get("/inputs")
        assert "replicas int Earlier values of replicas 2 The default" in text_of(page)
        wrong = await ada.post("/inputs", name="replicas", value="many", reason="load")
        assert wrong.status_code == 422
        assert "'many' is refused: the value of input 'replicas'" in text_of(wrong)
        assert 'value="many"' in wrong.text
        assert 'value="load"' in wrong.text
        page = await ada.post_and_follow("/inputs", name="replicas", value="7", reason="load")
        assert "replicas is 7 from now on." in text_of(page)
        assert "replicas int Earlier values of replicas 7 Set by ada" in text_of(page)
        await bob.log_in("bob")
        seen = await bob.get("/inputs")
        assert "replicas int Earlier values of replicas 7 Set by ada" in text_of(seen)
        assert '<button class="primary"' not in seen.text
        assert (await bob.post("/inputs", name="replicas", value="9")).status_code == 403
        await site.harness.settle()
        assert site.harness.output == current.Ok((7, "beta"))


async def test_an_input_is_set_at_its_stage(tmp_path: Path) -> None:
    """By the same form: one is back there, unless the value was wrong."""
    settings = WebSettings(access=access(tmp_path))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        site.add_user("ada", Role.BUILDER)
        site.add_user("bob", Role.VIEWER)
        ada, bob = site.visitor(), site.visitor()
        await ada.log_in("ada")
        await bob.log_in("bob")
        stage = "/stage?path=replicas"
        page = await ada.get(stage)
        assert "Input replicas int All inputs 2 The default" in text_of(page)
        assert 'name="back" value="/stage?path=replicas"' in page.text
        wrong = await ada.post("/inputs", name="replicas", value="many", back=stage)
        assert (wrong.status_code, 'value="many"' in wrong.text) == (422, True)
        assert 'name="back" value="/"' not in wrong.text.split("<main")[1]
        page = await ada.post_and_follow("/inputs", name="replicas", value="7", back=stage)
        assert page.request.url.path == "/stage"
        assert "7 Set by ada" in text_of(page)
        seen = await bob.get(stage)
        assert "7 Set by ada" in text_of(seen)
        assert 'action="/inputs"' not in seen.text
        elsewhere = await ada.post("/inputs", name="replicas", value="8", back="//evil.invalid/")
        assert elsewhere.headers["location"].startswith("/inputs?")


async def test_the_page_is_in_the_navigation_where_there_are_inputs(tmp_path: Path) -> None:
    """A pipeline without any has no use for it."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.VIEWER))
    async with open_site(tmp_path / "a", pipeline, settings=settings) as site:
        assert 'href="/inputs"' in (await site.visitor().get("/jobs")).text
    async with open_site(tmp_path / "b", settings=settings) as site:
        assert 'href="/inputs"' not in (await site.visitor().get("/jobs")).text
        page = await site.visitor().get("/inputs")
        assert "The pipeline uses no inputs that people set." in text_of(page)
