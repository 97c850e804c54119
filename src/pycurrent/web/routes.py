"""Answers the routes of the pipeline's author and of plugins."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.routing import Route as Place
from starlette.types import Scope

from pycurrent.engine import Effect, OpenEngine, Problem
from pycurrent.errors import UsageError
from pycurrent.facade import Engine
from pycurrent.service.routes import (
    LARGEST_BODY,
    LARGEST_LIMIT,
    Route,
    RouteAnswer,
    RouteHandler,
    RouteRequest,
)
from pycurrent.term import located, shown
from pycurrent.web.auth import access_of, caller_of
from pycurrent.web.state_key import StateKey

if TYPE_CHECKING:
    from pycurrent.service import Service

OURS = frozenset(
    {
        "api",
        "approvals",
        "audit",
        "badge",
        "badge.svg",
        "changes",
        "confirm",
        "content",
        "docs",
        "failures",
        "favicon.ico",
        "files",
        "healthz",
        "help",
        "history",
        "inputs",
        "items",
        "job",
        "jobs",
        "login",
        "logout",
        "metrics",
        "mutes",
        "page",
        "pauses",
        "pools",
        "readyz",
        "robots.txt",
        "retention",
        "rules",
        "rules.csv",
        "search",
        "stage",
        "static",
        "theme",
        "timeline",
    }
)
"""The first parts of the site's own paths."""

MOST_HELD = 4 * LARGEST_LIMIT
"""In bytes: the bodies that strangers are sending, or that are being answered, all together."""

ROUTES = StateKey["AuthorRoutes"]("routes")

_WITHOUT_BODY = frozenset({204, 304})

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
"""The headers that the server makes."""

_log = logging.getLogger(__name__)


def check_routes(routes: Sequence[Route]) -> None:
    """Raise `UsageError` if the site has one of the paths, or two routes are alike."""
    known: set[tuple[str, str]] = set()
    for route in routes:
        first = route.path.split("/")[1]
        if first in OURS or first.startswith("{"):
            what = "is the site's own" if first in OURS else "could be any of the site's own"
            raise UsageError(
                f"the route {route.method} {route.path}: /{first} {what}: choose another first"
                " part, such as /hooks"
            )
        if (route.method, route.pattern) in known:
            raise UsageError(f"the route {route.method} {route.path}: another one is like it")
        known.add((route.method, route.pattern))


class AuthorRoutes:
    """The routes of one site."""

    def __init__(self, routes: Sequence[Route], service: Service) -> None:
        bodies = _Bodies()
        for route in routes:
            if route.on_open is not None:
                route.on_open(Engine.of(service.engine))
        self._places = [
            (_Endpoint(route, service.engine, bodies).place(), route) for route in routes
        ]

    def add_to(self, app: FastAPI) -> None:
        app.router.routes.extend(place for place, _ in self._places)

    def limit_of(self, scope: Scope) -> int:
        """The largest body of a request, in bytes."""
        route = self._find(scope)
        return LARGEST_BODY if route is None else route.limit

    def is_for_program(self, request: Request) -> bool:
        """True if a program reads the errors of a route."""
        takes_pages = "text/html" in request.headers.get("accept", "")
        return self._find(request.scope) is not None and not takes_pages

    def _find(self, scope: Scope) -> Route | None:
        for place, route in self._places:
            if place.matches(scope)[0] is Match.FULL:
                return route
        return None


class _Bodies:
    """Limits what the bodies of all requests to routes take in memory together: before the
    handler has checked a signature, strangers send them.
    """

    def __init__(self) -> None:
        self._held = 0

    @contextmanager
    def read(self) -> Iterator[Callable[[Request], Awaitable[bytes]]]:
        """A function that reads a body, which counts until the end of the block."""
        held = 0

        async def read(request: Request) -> bytes:
            nonlocal held
            chunks = []
            async for chunk in request.stream():
                held += len(chunk)
                self._held += len(chunk)
                if self._held > MOST_HELD:
                    raise _busy("too much is being sent at once")
                chunks.append(chunk)
            return b"".join(chunks)

        try:
            yield read
        finally:
            self._held -= held


class _Endpoint:
    """Answers one route."""

    def __init__(self, route: Route, engine: OpenEngine, bodies: _Bodies) -> None:
        self._route = route
        self._engine = engine
        self._bodies = bodies
        self._name = f"{route.method} {route.path}"
        # Cancelled handlers that go on all the same: nothing else may hold their tasks.
        self._left: set[asyncio.Task[object]] = set()

    def place(self) -> Place:
        return Place(
            self._route.path,
            self._answer,
            methods=[self._route.method],
            name=self._name,
            include_in_schema=False,
        )

    async def _answer(self, request: Request) -> Response:
        user, hidden = None, {"cookie"}
        if self._route.role is not None:
            caller = caller_of(request)
            await access_of(request).check(request, caller, self._route.role)
            user, hidden = caller.user, {"cookie", "authorization"}
        with self._bodies.read() as read:
            given = RouteRequest(
                method=self._route.method,
                path=request.url.path,
                params=request.path_params,
                query=dict(request.query_params),
                headers={
                    name: ", ".join(request.headers.getlist(name))
                    for name in request.headers
                    if name not in hidden
                },
                body=await read(request),
                user=user,
                engine=Engine.of(self._engine),
            )
            return await self._handled(given)

    async def _handled(self, given: RouteRequest) -> Response:
        try:
            response = _response(await self._in_time(given))
        except HTTPException:
            raise
        except Exception as error:
            _log.error("%s failed", self._name, exc_info=error)
            self._report("a route fails", f"{self._name} failed: {located(error)}")
            raise HTTPException(500, "this failed: the log of the engine says why") from error
        self._engine.problems.clear(self._topic)
        return response

    async def _in_time(self, given: RouteRequest) -> object:
        """The result of the handler, which is cancelled if it takes too long."""
        task = asyncio.ensure_future(_call(self._route.handler, given))
        try:
            await asyncio.wait({task}, timeout=self._route.seconds)
        finally:
            if not task.done():
                task.cancel()
                self._left.add(task)
                task.add_done_callback(self._forget)
        if task.done():
            return task.result()
        took = f"{self._name} has not answered within {self._route.seconds:g} s"
        self._report("a route takes too long", took)
        raise _busy("this took too long")

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._left.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s failed", self._name, exc_info=error)

    @property
    def _topic(self) -> str:
        return f"route {self._name}"

    def _report(self, brief: str, message: str) -> None:
        self._engine.problems.report(self._topic, Problem(brief, message, Effect.TOLD))


async def _call(handler: RouteHandler, given: RouteRequest) -> object:
    """The result of the handler, whatever its type says."""
    try:
        return await handler(given)
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        raise RuntimeError("the handler has waited for a task that was cancelled") from None


def _response(answer: object) -> Response:
    """Raises TypeError or ValueError for what can't be an answer."""
    if not isinstance(answer, RouteAnswer):
        raise TypeError(f"the handler has returned {shown(answer)}, not a RouteAnswer")
    if not 200 <= answer.status <= 599:
        raise ValueError(f"{answer.status} can't be the status of an answer")
    for name, value in answer.headers.items():
        if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value):
            raise ValueError(f"{name!r}: {value!r} can't be a header")
    headers = {name: text for name, text in answer.headers.items() if name.lower() not in _OURS}
    body = b"" if answer.status in _WITHOUT_BODY else answer.body
    return Response(body, answer.status, headers)


def _busy(why: str) -> HTTPException:
    return HTTPException(503, f"{why}: try again later", {"Retry-After": "5"})
