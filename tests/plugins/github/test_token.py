"""GitHub as a person with a token sees it: by REST."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.values import Branch, Change
from pycurrent.plugins.github import GitHub

from ..forge.model import sha
from .conftest import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[ForgeApi]:
    """Our way with a token, on the same clock."""
    made = GitHub(world.github.token, url=world.github.url).connect(world.clock)
    yield made
    await made.aclose()


async def test_what_is_as_it_was_costs_nothing(world: World, api: ForgeApi) -> None:
    """Branches, tags and pull requests, page by page; what has changed is read."""
    world.github.page_size = 2
    made = world.github.add("robot/web")
    made.branches |= {f"b{number}": sha(number) for number in range(5)}
    world.github.open("robot/web", sha(9))
    web = next(one for one in await api.repositories() if one.path == "robot/web")
    first = await api.refs(web)
    assert world.github.unchanged == 0
    before = len(world.github.requests)
    assert await api.refs(web) == first
    assert len(world.github.requests) - before == world.github.unchanged == 5
    made.branches["b1"] = sha(77)
    second = await api.refs(web)
    assert {ref.hash for ref in second} - {ref.hash for ref in first} == {sha(77)}
    made.branches.clear()
    assert [type(ref) for ref in await api.refs(web)] == [Change]


async def test_sweeps_leave_the_rest_of_a_quota_to_statuses(world: World, api: ForgeApi) -> None:
    """People wait for those. What is left is told by each answer."""
    made = world.github.add("robot/web")
    found = next(one for one in await api.repositories() if one.path == "robot/web")
    main = Branch(found, "main", made.branches["main"])
    reset = world.clock.now() + timedelta(minutes=20)

    def nearly_used_up(request: web.Request) -> web.StreamResponse:
        told: dict[str, Any] = {"Limit": 5000, "Remaining": 200, "Reset": int(reset.timestamp())}
        headers = {f"X-RateLimit-{name}": str(value) for name, value in told.items()}
        return web.json_response([], headers=headers)

    world.github.replies.append(nearly_used_up)
    assert await api.status(main, "ci") is None
    before = len(world.github.requests)
    swept = asyncio.create_task(api.refs(found))
    async with asyncio.timeout(20):
        while world.clock.next_timer is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert world.clock.next_timer == reset
    assert len(world.github.requests) == before
    assert await api.status(main, "ci") is None
    assert api.limited_until(found) is None
    world.passes(minutes=20)
    assert await swept == (main,)
