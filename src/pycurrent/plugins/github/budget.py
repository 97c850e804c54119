"""GitHub's limits: the pauses that it asks for, and the quotas of REST and of GraphQL.

Each account has its own, and a quota is filled again by the hour. See
docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from pycurrent.engine import Clock
from pycurrent.plugins.forge.limit import RequestLimit
from pycurrent.plugins.github.sdk import httpx

REST, GRAPHQL = "core", "graphql"
"""The quotas that we use, as GitHub calls them."""
_ALL = ""
"""The limit that a pause is of which GitHub asks for in other words: all requests wait."""


class Budget:
    """The limits of all accounts of one identity."""

    def __init__(self, clock: Clock, site: str) -> None:
        self._clock = clock
        self._limits: defaultdict[tuple[str, str], RequestLimit] = defaultdict(
            lambda: RequestLimit(clock, site)
        )

    def until(self, account: str) -> datetime | None:
        """Until when any requests of an account wait."""
        found = (self._limits[account, of].until for of in (_ALL, REST, GRAPHQL))
        return max((until for until in found if until is not None), default=None)

    async def over(self, account: str, quota: str, *, is_sparing: bool) -> None:
        """Wait until a request may be made: with `is_sparing` one that can wait longer."""
        limits = self._limits[account, _ALL], self._limits[account, quota]
        while any(limit.until_for(is_sparing=is_sparing) for limit in limits):
            for limit in limits:
                await limit.over(is_sparing=is_sparing)

    def count(self, account: str, quota: str, answer: httpx.Response) -> None:
        """Take what the headers of an answer tell of its quota."""
        reset = _reset_of(answer)
        try:
            left, of = (
                int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Remaining", "Limit")
            )
        except (KeyError, ValueError):
            return
        if reset is not None:
            self._limits[account, quota].count(left, of, reset)

    def pause(self, account: str, quota: str, answer: httpx.Response) -> bool:
        """Begin the pause that a refusal asks for. False if it refuses for another reason."""
        if answer.status_code not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
            return False
        is_secondary = "secondary rate limit" in answer.text
        if not (is_secondary or _is_pause(answer)) and answer.status_code == HTTPStatus.FORBIDDEN:
            return False
        self.begin_pause(account, quota, answer)
        return True

    def begin_pause(self, account: str, quota: str, answer: httpx.Response) -> None:
        """Begin a pause, for as long as the headers say."""
        asked = answer.headers.get("Retry-After")
        if asked is not None or not _is_pause(answer):
            self._limits[account, _ALL].pause(asked)
            return
        reset = _reset_of(answer)
        seconds = None if reset is None else (reset - self._clock.now()) / timedelta(seconds=1)
        self._limits[account, quota].pause(None if seconds is None else str(max(seconds, 1)))


def _is_pause(answer: httpx.Response) -> bool:
    headers = answer.headers
    return "Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0"


def _reset_of(answer: httpx.Response) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(answer.headers["X-RateLimit-Reset"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None
