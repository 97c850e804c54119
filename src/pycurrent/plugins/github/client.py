"""Requests to GitHub's API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

from pycurrent.engine import Clock
from pycurrent.plugins.forge.http import unreachable
from pycurrent.plugins.github.budget import GRAPHQL, REST, Budget
from pycurrent.plugins.github.diagnosis import (
    NO_ADVICE,
    Advice,
    not_answered,
    not_github,
    refused,
)
from pycurrent.plugins.github.identity import (
    AppIdentity,
    Identity,
    InstallationTokens,
    TokenIdentity,
)
from pycurrent.plugins.github.sdk import httpx
from pycurrent.term import Failure

T = TypeVar("T")

Query = Mapping[str, str | int]

SITE = "https://github.com"

APP = "app"
"""The account of an App itself; other accounts are the ids of its installations."""

_SECONDS = 30
"""The time that an answer may take."""
_PAGE = 100
_PAGES = 10_000
"""More are a server that gives the same page again and again."""
_PATIENCE = 20
"""How often a request waits for the limit before it fails."""

_LIMITED = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
"""The errors of GraphQL that ask for a pause."""


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of a list, as it was read."""

    etag: str
    items: list[Any]
    has_next: bool


class GithubClient:
    """Asks one GitHub with one identity. Belongs to one event loop. Its calls raise `Failure`."""

    def __init__(self, site: str, identity: Identity, clock: Clock) -> None:
        self.site = site
        self._identity = identity
        self._clock = clock
        self._budget = Budget(clock, site)
        self._tokens = InstallationTokens(clock, self._make_token)
        self._known: dict[tuple[str, str, int], tuple[object, _Page]] = {}
        """Pages that are asked for again and again, by account, address and number, each with that
        on which its reading depends.
        """
        at = "https://api.github.com" if site == SITE else f"{site}/api"
        self._graphql = f"{at}/graphql"
        self._http = httpx.AsyncClient(
            base_url=at if site == SITE else f"{at}/v3",
            timeout=_SECONDS,
            follow_redirects=True,
            headers={
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "pycurrent",
            },
        )

    def limited_until(self, account: str) -> datetime | None:
        """Until when requests of an account wait."""
        return self._budget.until(account)

    async def token(self, account: str) -> str:
        """The token of an account, as it is now."""
        if isinstance(self._identity, TokenIdentity):
            return await self._identity.token()
        if account == APP:
            return await self._identity.token(self._clock.now())
        return await self._tokens.of(account)

    async def get(self, account: str, what: str, path: str) -> Any:
        """Get one thing, decoded from JSON. `what` is asked for, in words for people."""
        return self._decoded(await self._ask(account, what, "GET", path))

    async def get_or_none(self, account: str, what: str, path: str) -> Any:
        """The same; None if it is not there."""
        answer = await self._ask(account, what, "GET", path, may_be_missing=True)
        return None if answer.status_code == HTTPStatus.NOT_FOUND else self._decoded(answer)

    async def pages(
        self,
        account: str,
        what: str,
        path: str,
        read: Callable[[Any], T],
        *,
        query: Query | None = None,
        within: str | None = None,
        again: object = None,
    ) -> list[T]:
        """Get a list, page by page to its end, each item as `read` makes it; `within` names the
        field of the answer that has the list.

        With `again`, on which alone `read` depends, pages are asked for by their ETags from the
        second time on. An answer that is as it was costs nothing of the quota
        (docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api). As ETags
        belong to a token, those of an App are good for an hour. They leave some of the quota to
        other requests.
        """
        found: list[T] = []
        for number in range(1, _PAGES):
            key = (account, path, number)
            depends, page = self._known.get(key, (None, None))
            page = page if depends == again else None
            headers = {} if page is None else {"If-None-Match": page.etag}
            wanted = {**(query or {}), "per_page": _PAGE, "page": number}
            answer = await self._ask(
                account,
                what,
                "GET",
                path,
                query=wanted,
                headers=headers,
                is_sparing=again is not None,
            )
            if page is None or answer.status_code != HTTPStatus.NOT_MODIFIED:
                page = self._read(answer, read, within)
                if again is not None and page.etag:
                    self._known[key] = again, page
            found += page.items
            if not page.has_next:
                self._forget(account, path, number + 1)
                return found
        raise Failure(f"{what}: {self.site} gives pages without an end")

    async def each(
        self,
        account: str,
        what: str,
        path: str,
        read: Callable[[Any], T],
        *,
        query: Query,
        advice: Advice = NO_ADVICE,
    ) -> AsyncIterator[T]:
        """Get a long list only as far as it is needed, page by page, without ETags."""
        for number in range(1, _PAGES):
            wanted = {**query, "per_page": _PAGE, "page": number}
            answer = await self._ask(account, what, "GET", path, query=wanted, advice=advice)
            page = self._read(answer, read, None)
            for item in page.items:
                yield item
            if not page.has_next:
                return

    def _read(
        self, answer: httpx.Response, read: Callable[[Any], Any], within: str | None
    ) -> _Page:
        told = self._decoded(answer)
        items = told.get(within) if within is not None and isinstance(told, dict) else told
        if not isinstance(items, list):
            raise not_github(self.site)
        try:
            values = [read(item) for item in items]
        except (KeyError, TypeError, AttributeError):
            raise not_github(self.site) from None
        return _Page(answer.headers.get("ETag", ""), values, "next" in answer.links)

    def _forget(self, account: str, path: str, number: int) -> None:
        """Forget the pages of a list from a number on: it has become shorter."""
        while self._known.pop((account, path, number), None) is not None:
            number += 1

    async def send(
        self,
        account: str,
        what: str,
        method: str,
        path: str,
        body: Mapping[str, object],
        *,
        advice: Advice = NO_ADVICE,
    ) -> Any:
        """Make or change something. A request that was broken off may have been heard. `advice`
        says what to do about a refusal.
        """
        answer = await self._ask(account, what, method, path, body=body, advice=advice)
        return self._decoded(answer)

    async def query(
        self, account: str, what: str, query: str
    ) -> tuple[Mapping[str, Any], list[Any]]:
        """Ask by GraphQL. Returns the data, and the errors of parts of it, which have paths. An
        error of all of it is raised: `OutOfOrder` if GitHub may answer a smaller query.
        """
        for _ in range(_PATIENCE):
            answer = await self._ask(account, what, "POST", self._graphql, body={"query": query})
            told = self._decoded(answer)
            if not isinstance(told, dict):
                raise not_github(self.site)
            data, errors = told.get("data"), told.get("errors") or []
            if not isinstance(data, dict | None) or not isinstance(errors, list):
                raise not_github(self.site)
            whole = [error for error in errors if not error.get("path")]
            if not whole:
                return data or {}, errors
            if not _LIMITED.intersection(str(error.get("type")) for error in whole):
                raise not_answered(self.site, what, whole[0])
            # With HTTP status 200.
            self._budget.begin_pause(account, GRAPHQL, answer)
        raise not_answered(self.site, what, {"message": "it still asks for a pause"})

    async def aclose(self) -> None:
        """End the connections. Twice is fine."""
        await self._http.aclose()

    async def _ask(
        self,
        account: str,
        what: str,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        may_be_missing: bool = False,
        is_sparing: bool = False,
        advice: Advice = NO_ADVICE,
    ) -> httpx.Response:
        quota, is_renewed = GRAPHQL if path == self._graphql else REST, False
        for attempt in range(_PATIENCE):
            await self._budget.over(account, quota, is_sparing=is_sparing)
            token = await self.token(account)
            all_headers = {**(headers or {}), "Authorization": f"Bearer {token}"}
            try:
                answer = await self._http.request(
                    method, path, params=query, json=body, headers=all_headers
                )
            except httpx.HTTPError as error:
                raise unreachable(self.site, error) from None
            self._budget.count(account, quota, answer)
            is_fine = answer.is_success or answer.status_code == HTTPStatus.NOT_MODIFIED
            if is_fine or (may_be_missing and answer.status_code == HTTPStatus.NOT_FOUND):
                return answer
            is_refused = answer.status_code == HTTPStatus.UNAUTHORIZED
            if is_refused and self._may_renew(account) and not is_renewed:
                is_renewed = True
                continue
            if attempt == _PATIENCE - 1 or not self._budget.pause(account, quota, answer):
                raise refused(self.site, what, answer, advice)
        raise AssertionError("the last attempt returns or raises")

    def _may_renew(self, account: str) -> bool:
        """True if a token that GitHub no longer takes can be made again: it was revoked."""
        if not self.is_app or account == APP:
            return False
        self._tokens.forget(account)
        return True

    async def _make_token(self, installation: str) -> tuple[str, datetime]:
        what = f"a token of the installation {installation}"
        path = f"/app/installations/{installation}/access_tokens"
        told = await self.send(APP, what, "POST", path, {})
        try:
            return told["token"], datetime.fromisoformat(told["expires_at"])
        except (KeyError, TypeError, ValueError):
            raise not_github(self.site) from None

    @property
    def is_app(self) -> bool:
        """True if we are an App."""
        return isinstance(self._identity, AppIdentity)

    def _decoded(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise not_github(self.site) from None
