"""Requests to Forgejo's API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

from pycurrent.engine import Clock, Secret
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.forge.http import unreachable
from pycurrent.plugins.forge.limit import RequestLimit
from pycurrent.plugins.forgejo.diagnosis import not_forgejo, refused
from pycurrent.plugins.forgejo.sdk import httpx
from pycurrent.term import Failure

Query = Mapping[str, str | int]

_SECONDS = 30
"""The time that an answer may take."""
_PAGE = 50
"""The limit of a Forgejo as it is installed; one with a lower limit gives fewer."""
_PAGES = 10_000
"""More are a server that gives the same page again and again."""
_PATIENCE = 20
"""How often a request waits for the limit before it fails."""


class ForgejoClient:
    """Asks one Forgejo with one token. Belongs to one event loop. Its calls raise `Failure`."""

    def __init__(self, url: str, token: Secret | str, clock: Clock) -> None:
        self.url = url
        self.limit = RequestLimit(clock, url)
        self._token = token
        self._user: str | None = None
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1",
            timeout=_SECONDS,
            headers={"Accept": "application/json"},
        )

    async def token(self) -> str:
        """The token, as it is now."""
        return self._token if isinstance(self._token, str) else await in_thread(self._token.read)

    async def user(self) -> str:
        """The name of the token's user, asked for once."""
        if self._user is None:
            answer = await self._ask("the user of the token", "GET", "/user")
            self._user = str(self._decoded(answer)["login"])
        return self._user

    async def get_or_none(self, what: str, path: str) -> Any:
        """Get one thing, decoded from JSON; None if it is not there. `what` is asked for, in words
        for people.
        """
        answer = await self._ask(what, "GET", path, may_be_missing=True)
        return None if answer.status_code == HTTPStatus.NOT_FOUND else self._decoded(answer)

    async def pages(self, what: str, path: str, query: Query | None = None) -> list[Any]:
        """Get a list, page by page to its end."""
        return [item async for item in self.each(what, path, query)]

    async def each(self, what: str, path: str, query: Query | None = None) -> AsyncIterator[Any]:
        """The items of a list; the next page is asked for once it is needed."""
        wanted, seen = {**(query or {}), "limit": _PAGE}, 0
        for page in range(1, _PAGES):
            answer = await self._ask(what, "GET", path, query={**wanted, "page": page})
            items = self._decoded(answer)
            if not isinstance(items, list):
                raise not_forgejo(self.url)
            for item in items:
                yield item
            seen += len(items)
            # Lists that have no pages, as that of comments, have no links, but the number of items.
            has_more = "next" in answer.links or seen < _number(answer.headers.get("X-Total-Count"))
            if not items or not has_more:
                return
        raise Failure(f"{what}: {self.url} gives pages without an end")

    async def send(self, what: str, method: str, path: str, body: Mapping[str, object]) -> Any:
        """Make or change something. A request that was broken off may have been heard."""
        return self._decoded(await self._ask(what, method, path, body=body))

    async def aclose(self) -> None:
        """End the connections. Twice is fine."""
        await self._http.aclose()

    async def _ask(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
        may_be_missing: bool = False,
    ) -> httpx.Response:
        for attempt in range(_PATIENCE):
            await self.limit.over()
            headers = {"Authorization": f"token {await self.token()}"}
            try:
                answer = await self._http.request(
                    method, path, params=query, json=body, headers=headers
                )
            except httpx.HTTPError as error:
                raise unreachable(self.url, error) from None
            is_missing = may_be_missing and answer.status_code == HTTPStatus.NOT_FOUND
            if answer.is_success or is_missing:
                return answer
            if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS or attempt == _PATIENCE - 1:
                raise refused(self.url, what, answer)
            self.limit.pause(answer.headers.get("Retry-After"))
        raise AssertionError("the last attempt returns or raises")

    def _decoded(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise not_forgejo(self.url) from None


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0
