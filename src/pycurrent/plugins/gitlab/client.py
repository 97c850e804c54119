"""Requests to GitLab's API, by python-gitlab, in threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from pycurrent.engine import Clock, Secret
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.forge.limit import RequestLimit
from pycurrent.plugins.gitlab.diagnosis import refused, unreachable
from pycurrent.plugins.gitlab.sdk import Gitlab, GitlabError, requests

T = TypeVar("T")

Query = Mapping[str, str | int]

_SECONDS = 30
"""The time that an answer may take."""
_PAGE = 100
"""GitLab's limit."""
_OURS: Mapping[str, Any] = {"obey_rate_limit": False}
"""python-gitlab would sleep in the thread, without a word."""
_PATIENCE = 20
"""How often a request waits for the limit before it fails."""


class GitlabClient:
    """Asks one GitLab with one token. Belongs to one event loop. Its calls raise `Failure`."""

    def __init__(self, url: str, token: Secret | str, clock: Clock) -> None:
        self.url = url
        self.limit = RequestLimit(clock, url)
        self._token = token
        self._user: str | None = None
        # A session is for one thread at a time: those that nobody uses now.
        self._free: list[Gitlab] = []
        self._is_closed = False

    async def token(self) -> str:
        """The token, as it is now."""
        return self._token if isinstance(self._token, str) else await in_thread(self._token.read)

    async def user(self) -> str:
        """The name of the token's user, asked for once."""
        if self._user is None:
            self._user = str((await self.get("the user of the token", "/user"))["username"])
        return self._user

    async def get(self, what: str, path: str, query: Query | None = None) -> Any:
        """Get one thing, decoded from JSON. `what` is asked for, in words for people."""
        return await self._ask(
            what, lambda gitlab: gitlab.http_get(path, dict(query or {}), **_OURS)
        )

    async def pages(self, what: str, path: str, query: Query | None = None) -> list[Any]:
        """Get a list, page by page to its end."""
        wanted = {**(query or {}), "per_page": _PAGE}
        return await self._ask(
            what, lambda gitlab: list(gitlab.http_list(path, wanted, iterator=True, **_OURS))
        )

    async def post(self, what: str, path: str, body: Mapping[str, object]) -> Any:
        """Make something. A request that was broken off may have been heard."""
        return await self._ask(
            what, lambda gitlab: gitlab.http_post(path, post_data=dict(body), **_OURS)
        )

    async def put(self, what: str, path: str, body: Mapping[str, object]) -> Any:
        """Change something."""
        return await self._ask(
            what, lambda gitlab: gitlab.http_put(path, post_data=dict(body), **_OURS)
        )

    async def aclose(self) -> None:
        """End the connections. Each that is in use now ends with their request."""
        self._is_closed = True
        free, self._free = self._free, []
        for gitlab in free:
            gitlab.session.close()

    async def _ask(self, what: str, ask: Callable[[Gitlab], T]) -> T:
        for attempt in range(_PATIENCE):
            await self.limit.over()
            gitlab, seen = await self._session()
            try:
                return await in_thread(ask, gitlab)
            except requests.RequestException as error:
                raise unreachable(self.url, error) from None
            except GitlabError as error:
                is_limited = error.response_code == HTTPStatus.TOO_MANY_REQUESTS
                if not is_limited or attempt == _PATIENCE - 1:
                    raise refused(self.url, what, error) from None
                self.limit.pause(seen.retry_after)
            finally:
                self._give_back(gitlab)
        raise AssertionError("the last attempt returns or raises")

    async def _session(self) -> tuple[Gitlab, _Headers]:
        token = await self.token()
        if self._free:
            gitlab = self._free.pop()
        else:
            gitlab = Gitlab(self.url, timeout=_SECONDS, keep_base_url=True)
        gitlab.session.headers["PRIVATE-TOKEN"] = token
        headers = _Headers()
        gitlab.session.hooks["response"] = [headers.see]
        return gitlab, headers

    def _give_back(self, gitlab: Gitlab) -> None:
        if self._is_closed:
            gitlab.session.close()
        else:
            self._free.append(gitlab)


class _Headers:
    """The headers of the last answer."""

    def __init__(self) -> None:
        self.retry_after: str | None = None

    def see(self, response: requests.Response, **_: object) -> None:
        self.retry_after = response.headers.get("Retry-After")
