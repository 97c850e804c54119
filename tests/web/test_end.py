"""The end of a site, while somebody asks it for something."""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import uvicorn

import pycurrent as current
from pycurrent.service.routes import Route, RouteAnswer, RouteRequest
from pycurrent.web import WebSettings, server

from .sites import ANY_PORT, running_site


def pipeline() -> current.Current[int]:
    return current.constant(1)


@pytest.mark.parametrize("turns", range(5))
async def test_a_connection_that_comes_just_as_it_ends_is_closed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    turns: int,
) -> None:
    """Whether it was accepted yet or not: the site does not wait for it until it has lost its
    patience.
    """
    came: list[socket.socket] = []
    with_ticks = uvicorn.Server.on_tick

    async def comes_last(self: uvicorn.Server, counter: int) -> bool:
        ends = await with_ticks(self, counter)
        if ends:
            came.append(socket.create_connection((where.host, where.port or 0)))
            for _ in range(turns):
                await asyncio.sleep(0)
        return ends

    monkeypatch.setattr(uvicorn.Server, "on_tick", comes_last)
    async with running_site(pipeline, tmp_path) as site:
        where = httpx.URL(site.url)
        async with httpx.AsyncClient() as client:
            await client.get(site.url)
    with came.pop() as late:
        late.settimeout(10)
        with suppress(ConnectionResetError):
            assert late.recv(1) == b""
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_what_takes_too_long_is_to_be_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no fault of the site, nor one to be logged."""
    begun = asyncio.Event()

    async def endless(request: RouteRequest) -> RouteAnswer:
        begun.set()
        await asyncio.get_running_loop().create_future()
        return RouteAnswer()

    monkeypatch.setattr(server, "_PATIENCE", 0)
    settings = WebSettings(
        port=0, access=ANY_PORT.access, routes=[Route("GET", "/endless", endless)]
    )
    async with httpx.AsyncClient() as client:
        async with running_site(pipeline, tmp_path, settings=settings) as site:
            asked = asyncio.create_task(client.get(f"{site.url}/endless"))
            await begun.wait()
        answer = await asked
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "the site ends" in answer.text
    assert "Traceback" not in caplog.text
