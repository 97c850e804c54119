from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from examples.http_plugin import Api, SetStatus, pipeline

from pycurrent import Ok
from pycurrent.testing import Harness, check_operation


class Resources(dict[str, str]):
    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "PUT":
            self[request.path] = await request.text()
            return web.Response(status=403 if "secret" in request.path else 200)
        etag = f'"{self[request.path]}"'
        status = 304 if request.headers["If-None-Match"] == etag else 200
        return web.Response(status=status, text=self[request.path], headers={"ETag": etag})


@pytest.fixture
async def served() -> AsyncIterator[tuple[str, Resources]]:
    app, resources = web.Application(), Resources({"/wanted/shop": "1.0"})
    app.router.add_route("*", "/{path:.*}", resources.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), resources


async def test_the_status_follows_what_is_wanted(
    served: tuple[str, Resources], tmp_path: Path
) -> None:
    """It is set once for each version, however often that is asked for."""
    url, resources = served
    async with Harness(lambda: pipeline(url), state_dir=tmp_path) as h:
        await h.settle()
        await h.advance(timedelta(minutes=10))
        assert (h.output, len(h.history("set-status"))) == (Ok(None), 1)
        resources["/wanted/shop"] = "1.1"
        await h.advance(timedelta(minutes=1))
        assert resources["/status/shop"] == "1.1 is wanted"


async def test_setting_a_status_keeps_the_rules(
    served: tuple[str, Resources], tmp_path: Path
) -> None:
    """The rules of all operations, with a status that the API refuses."""
    operation = SetStatus(Api(served[0], "token"))
    failing = ("secret", "1.0")
    await check_operation(operation, "shop", "1.0", failing=failing, state_dir=tmp_path)
