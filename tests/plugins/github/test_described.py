"""What our plugin asks of GitHub, and what our fake answers, has to be as GitHub describes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from aiohttp import web

from .described import judge

AT = "/api/v3/repos/octo/web"
BRANCH = {"name": "main", "commit": {"sha": "a" * 40}}


class Server:
    """Answers what it is told to, and is judged."""

    def __init__(self) -> None:
        self.judge = judge()
        self.answer: Any = []
        self.status = 200
        self.told: Any = None
        """What it has answered in the end."""
        self.url = ""

    async def give(self, request: web.Request) -> web.Response:
        if isinstance(self.answer, Exception):
            raise self.answer
        return web.json_response(self.answer, status=self.status)

    async def ask(self, method: str, path: str, **more: Any) -> list[str]:
        """What is wrong with that, by GitHub's description."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            answer = await http.request(method, path, **more)
        self.told = answer.json() if answer.is_success else None
        try:
            self.judge.end()
        except AssertionError as error:
            return [line for line in str(error).splitlines() if "ghes" not in line]
        return []

    async def set_status(self, **body: Any) -> list[str]:
        self.answer, self.status = {}, 201
        return await self.ask("POST", f"{AT}/statuses/{'a' * 40}", json=body)

    async def list_branches(self, answer: Any, status: int = 200) -> list[str]:
        self.answer, self.status = answer, status
        return await self.ask("GET", f"{AT}/branches")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """With three paths, of which GitHub has two."""
    server = Server()
    if not server.judge.knows_something:
        pytest.skip("there is no npm to bring GitHub's description")
    app = web.Application(middlewares=[server.judge.middle])
    for path in ("branches", "heads", "statuses/{any}"):
        app.router.add_route("*", f"/api/v3/repos/{{a}}/{{b}}/{path}", server.give)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def test_what_github_has_is_right(server: Server) -> None:
    """Requests and answers."""
    assert await server.ask("GET", f"{AT}/branches?per_page=100&page=2&protected=true") == []
    assert await server.set_status(state="success", context="ci", target_url=None) == []
    assert await server.list_branches([BRANCH]) == []


@pytest.mark.parametrize(
    ("method", "path", "fault"),
    [
        ("GET", "heads", "there is no such path and method"),
        ("DELETE", "branches", "there is no such path and method"),
        ("GET", "branches?per_page=all", 'per_page: "all" is not of type "integer"'),
        ("GET", "branches?size=3", "'size'"),
        ("POST", "statuses/abc", "it needs a body"),
    ],
)
async def test_a_request_that_github_does_not_know_is_wrong(
    server: Server, method: str, path: str, fault: str
) -> None:
    """Its path, its method, its query, a body that is missing."""
    server.answer, server.status = ({}, 201) if method == "POST" else ([], 200)
    (wrong,) = await server.ask(method, f"{AT}/{path}")
    assert wrong.removeprefix("AssertionError: ").startswith(f"{method} {AT}/{path}: ")
    assert fault in wrong


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"state": "done"}, "state"),
        ({"context": "ci"}, '"state" is a required property'),
        ({"state": "success", "link": "x"}, "'link'"),
        ({"state": "success", "context": 3}, 'context: 3 is not of type "string"'),
    ],
)
async def test_a_body_that_github_does_not_know_is_wrong(
    server: Server, body: Mapping[str, Any], fault: str
) -> None:
    """A word, a field, a type, or what is missing."""
    (wrong,) = await server.set_status(**body)
    assert fault in wrong


@pytest.mark.parametrize(
    ("answer", "status", "fault"),
    [
        ({"branches": []}, 200, 'is not of type "array"'),
        ([{**BRANCH, "hash": "a"}], 200, "'hash'"),
        ([{**BRANCH, "name": None}], 200, '0.name: null is not of type "string"'),
        ([], 202, "the status 202 is not described"),
        ({"error": "no"}, 403, "an error has a message"),
    ],
)
async def test_an_answer_that_github_would_not_give_is_wrong(
    server: Server, answer: Any, status: int, fault: str
) -> None:
    """What is read from a field that only the fake has is read from nowhere."""
    (wrong,) = await server.list_branches(answer, status)
    assert fault in wrong


async def test_an_answer_is_made_whole(server: Server) -> None:
    """With the fields that GitHub always tells, also within others."""
    await server.list_branches([BRANCH])
    assert server.told == [
        {"name": "main", "commit": {"sha": "a" * 40, "url": ""}, "protected": False}
    ]


async def test_a_fake_that_fails_is_wrong(server: Server) -> None:
    """The client would take it for trouble of the server, and try again."""
    (wrong,) = await server.list_branches(AssertionError("no such state"))
    assert "AssertionError in the fake: no such state" in wrong
