"""The state of a forge for tests, in words that are the same for all, and a server for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from pycurrent.plugins.forge.values import Permission

from .judge import Judge

Reply = Callable[[web.Request], web.StreamResponse]

OURS = "robot"
"""The user whose token we have."""


def sha(number: int) -> str:
    """The hash of a commit."""
    return f"{number:040x}"


@dataclass
class FakeStatus:
    """What somebody has said of a commit."""

    id: int
    context: str
    state: str
    """In the forge's own words."""
    description: str = ""
    url: str | None = None


@dataclass
class FakeComment:
    """A comment on a change."""

    id: int
    author: str
    body: str


@dataclass
class FakeChange:
    """An open pull request. `source` is the path of the repository that it comes from."""

    number: int
    hash: str
    title: str
    author: str
    base: str
    source: str | None
    branch: str
    is_draft: bool = False
    is_pushed_for_review: bool = False
    """By AGit: it comes from no branch."""
    labels: tuple[str, ...] = ()
    comments: list[FakeComment] = field(default_factory=list)


@dataclass
class FakeRepository:
    """A repository."""

    id: int
    path: str
    is_private: bool = False
    is_archived: bool = False
    clone_url: str | None = None
    """Where git finds it, if that is not the forge itself."""
    is_ours: bool = True
    """False for one that our user is not a member of."""
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a tag leads to, if that is not a commit, as the forge tells it."""
    changes: dict[int, FakeChange] = field(default_factory=dict)
    statuses: dict[str, list[FakeStatus]] = field(default_factory=dict)
    """By the hash of the commit, the oldest first."""
    members: dict[str, Permission] = field(default_factory=dict)

    @property
    def knows(self) -> set[str]:
        """The hashes of its commits."""
        heads = {*self.branches.values(), *self.tags.values()}
        return heads | {change.hash for change in self.changes.values()} | self.statuses.keys()


class FakeForge(ABC):
    """A forge that is served on the loop of the test. Subclasses speak the API of one."""

    token = "very-secret-token"
    fetching = token
    """The token that fetches."""
    requests_of_refs = 3
    """How many requests a small repository's refs are."""
    us = OURS
    """The name under which our comments are."""
    roles = tuple(role for role in Permission if role is not Permission.NONE)
    """What a member can be there."""
    stranger = Permission.NONE
    """What somebody may do in a public repository of which they are no member."""
    secret = "very-secret-webhook"
    page_size = 100
    """How much a page has at most, whatever is asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, FakeRepository] = {}
        self.people = {OURS: 1}
        """The ids of users, by name."""
        self.requests: list[str] = []
        """Each request, refused ones too: its method and its path."""
        self.replies: list[Reply] = []
        """What the next requests are answered, instead of being done."""
        self.after: list[Reply] = []
        """What the next requests are answered once they have been done."""
        self.mischief: Callable[[bool], Reply | None] = lambda is_done: None
        """Likewise for each request, before it is done and afterwards."""
        self.judge = Judge()
        self.url = ""
        self._last_id = 100
        self._runner: web.AppRunner | None = None
        self._port = 0

    # What people do there

    def add(self, path: str, *, hash: str = sha(1), **more: Any) -> FakeRepository:
        """A repository with a commit on main."""
        made = FakeRepository(self.next_id(), path, branches={"main": hash}, **more)
        self.repositories[path] = made
        return made

    def open(self, path: str, hash: str, **more: Any) -> FakeChange:
        """A pull request, by default from a branch of the repository itself."""
        repository = self.repositories[path]
        number = len(repository.changes) + 1
        given = {"title": "Do it", "author": "ann", "base": "main", "source": path, "branch": "do"}
        made = FakeChange(number, hash, **{**given, **more})
        repository.changes[number] = made
        self.person(made.author)
        return made

    def person(self, name: str) -> int:
        """The id of a user, who is there from now on."""
        return self.people.setdefault(name, self.next_id())

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def said(self, path: str, hash: str) -> list[tuple[str, str]]:
        """The statuses of a commit, with their names, the oldest first."""
        found = self.repositories[path].statuses.get(hash, [])
        return [(status.context, status.state) for status in found]

    @abstractmethod
    def deliver(self, event: str, path: str, **more: Any) -> tuple[dict[str, str], bytes]:
        """The headers, with lower-case names, and the body of a webhook about a repository. The
        event is `push`, perhaps with `ref`, `before` and `after`, or `comment` with `number`,
        `author` and `text`.
        """

    # The server

    async def start(self) -> None:
        app = web.Application(middlewares=[self._middle, self.judge.middle])
        self.add_routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """It may be started again, at the same port. Raises what was wrong meanwhile."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.judge.end()

    @abstractmethod
    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The addresses of the API."""

    @abstractmethod
    def is_let_in(self, request: web.Request) -> bool:
        """Whether a request has our token."""

    def refusal(self, status: int, message: str) -> web.Response:
        """An error as the forge gives it."""
        return web.json_response({"message": message}, status=status)

    @web.middleware
    async def _middle(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self.replies:
            return self.replies.pop(0)(request)
        if not self.is_let_in(request):
            return self.refusal(401, "401 Unauthorized")
        if (instead := self.mischief(False)) is not None:
            return instead(request)
        answer: web.StreamResponse = await handler(request)
        if (instead := self.mischief(True)) is not None:
            return instead(request)
        return self.after.pop(0)(request) if self.after else answer


def moved(told: dict[str, Any]) -> dict[str, str]:
    """The move of a ref, as all forges tell it, among what a delivery is to tell."""
    return {name: told[name] for name in ("ref", "before", "after") if name in told}


def out_of_order(request: web.Request) -> web.StreamResponse:
    """A proxy that does not reach the forge."""
    return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")


def hang_up(request: web.Request) -> web.StreamResponse:
    """The connection breaks off."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def limited(seconds: str) -> Reply:
    """The forge asks for a pause."""

    def reply(request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"message": "429 Too Many Requests"}, status=429, headers={"Retry-After": seconds}
        )

    return reply
