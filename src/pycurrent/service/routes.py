"""Routes: addresses of the site that a plugin or a pipeline's author answers, such as webhooks.

It imports no library and no web: plugins make routes, and the site's settings name them.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from pycurrent.errors import UsageError
from pycurrent.service.login import Role, User

if TYPE_CHECKING:
    from pycurrent.facade import Engine

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

LARGEST_BODY = 1 << 20
"""In bytes: the limit of a route that gives none."""

LARGEST_LIMIT = 25 << 20
"""In bytes: forges send webhooks of up to 25 MiB."""

LONGEST = 600
"""In seconds."""

_SEGMENT = re.compile(r"(?!\.\.?$)[A-Za-z0-9._~-]+|\{[a-z_][a-z0-9_]*\}")


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A request to a route."""

    method: str
    path: str
    """As the browser or program has sent it, decoded: `/hooks/shop`."""
    params: Mapping[str, str]
    """The parts of the path that the route names in braces."""
    query: Mapping[str, str]
    """The parameters behind the `?` of the address; of one that is repeated, the last value."""
    headers: Mapping[str, str]
    """By their names in lower case, without cookies; the values of a repeated one, joined by
    commas.
    """
    body: bytes
    """The bytes that were sent, unchanged: signatures are made of them."""
    user: User | None
    """The sender, if logged in or with a token; None on a route without a role."""
    engine: Engine
    """The engine that the site belongs to. A plugin gets its service by `engine.service(...)`."""

    def header(self, name: str) -> str | None:
        """The value of a header, however its name is spelled; None if it was not sent."""
        return self.headers.get(name.lower())


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """The answer to a request."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def text(cls, text: str, status: int = 200) -> Self:
        """Answer with plain text."""
        return cls._of(text, status, "text/plain; charset=utf-8")

    @classmethod
    def html(cls, html: str, status: int = 200) -> Self:
        """Answer with a page of one's own. Escape what others have written in it: `markupsafe`."""
        return cls._of(html, status, "text/html; charset=utf-8")

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Self:
        """Answer with a value as JSON. Raises TypeError if it can't be written as JSON."""
        return cls._of(json.dumps(value), status, "application/json")

    @classmethod
    def _of(cls, text: str, status: int, kind: str) -> Self:
        return cls(status, {"Content-Type": kind}, text.encode(errors="replace"))


RouteHandler: TypeAlias = Callable[[RouteRequest], Awaitable[RouteAnswer]]


@dataclass(frozen=True, slots=True)
class Route:
    """An address of the site that `handler` answers, on the event loop of the engine.

    Raises `UsageError` for a method, path, handler or limit that can't be.
    """

    method: str
    """GET, POST, PUT, PATCH or DELETE."""
    path: str
    """`/hooks/shop`, or `/shops/{name}/prices`: the handler gets the `name` in `params`."""
    handler: RouteHandler
    """Async. An exception is a bug: the log has it, and the sender gets 500, without the reason."""
    role: Role | None = Role.ADMIN
    """The role that it takes; None for anybody, such as a webhook, whose handler checks the
    signature itself. Nothing of a login counts then, so pages of other sites may send to it.
    """
    limit: int = LARGEST_BODY
    """The largest body, in bytes: a larger one is refused with the status 413. At most 25 MiB."""
    seconds: float = 30.0
    """How long the handler may take: it is then cancelled, and the sender gets the status 503."""
    on_open: Callable[[Engine], None] | None = None
    """Called once the site is there, before any request: to go on with what was left undone."""

    def __post_init__(self) -> None:
        if (wrong := self._wrong()) is not None:
            raise UsageError(f"the route {self.method} {self.path}: {wrong}")

    def _wrong(self) -> str | None:
        parts = self.path.removeprefix("/").split("/")
        names = [part for part in parts if part.startswith("{")]
        if self.method not in METHODS:
            return f"the method is one of {', '.join(METHODS)}"
        if not self.path.startswith("/") or not all(map(_SEGMENT.fullmatch, parts)):
            return (
                "expected a path such as /hooks/shop or /hooks/{name}, with no / at its end and"
                " nothing that an address has to escape"
            )
        if len(names) != len(set(names)):
            return "two parts of the path have the same name"
        if not _is_async(self.handler):
            return "the handler has to be an async function"
        if not 0 <= self.limit <= LARGEST_LIMIT:
            return f"the limit is from 0 to {LARGEST_LIMIT:,} bytes, not {self.limit:,}"
        if not 0 < self.seconds <= LONGEST:
            return f"the handler may take more than 0 s and up to {LONGEST} s, not {self.seconds}"
        return None

    @property
    def pattern(self) -> str:
        """The path without the names of its parts: two routes alike have the same one."""
        return re.sub(r"\{[^}]*\}", "{}", self.path)


def _is_async(handler: object) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - not whether it has one
    )
