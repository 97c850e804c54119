"""The two ways in which GitHub lets us in: as an App, and with a token."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from pycurrent.engine import Clock, Secret
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.github.sdk import JoseError, RSAKey, jwt
from pycurrent.term import Failure

_JWT_LASTS = timedelta(minutes=9)
"""GitHub takes ten at most."""
_CLOCKS = timedelta(seconds=60)
"""How far our clock may be ahead of GitHub's."""
_RENEWED = timedelta(minutes=5)
"""The time before the end of a token at which a new one is made: it lasts for an hour."""


@dataclass(frozen=True, slots=True)
class TokenIdentity:
    """A personal access token, fine-grained or classic."""

    value: Secret | str

    async def token(self) -> str:
        """The token, as it is now."""
        return self.value if isinstance(self.value, str) else await in_thread(self.value.read)


@dataclass(frozen=True, slots=True)
class AppIdentity:
    """A GitHub App, by its id and the file of its private key."""

    id: str
    key: Path | Secret

    async def token(self, now: datetime) -> str:
        """A token of the App itself, for a few minutes. Raises Failure for a key that is none."""
        text = await in_thread(self._key_text)
        claims = {
            "iss": self.id,
            "iat": int((now - _CLOCKS).timestamp()),
            "exp": int((now + _JWT_LASTS).timestamp()),
        }
        try:
            return jwt.encode({"alg": "RS256"}, claims, RSAKey.import_key(text))
        except (JoseError, ValueError, TypeError) as error:
            raise Failure(
                f"{self.key} is not the private key of a GitHub App, a file in PEM that GitHub has"
                f" made: {error}"
            ) from None

    def _key_text(self) -> str:
        if isinstance(self.key, Secret):
            return self.key.read()
        try:
            return self.key.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"the key {self.key} of the GitHub App can't be read: {error}") from None


Identity: TypeAlias = TokenIdentity | AppIdentity


class InstallationTokens:
    """The tokens of an App's installations, each made once for all who ask, and renewed."""

    def __init__(
        self, clock: Clock, make: Callable[[str], Awaitable[tuple[str, datetime]]]
    ) -> None:
        """`make` makes a token of an installation, and says when it ends."""
        self._clock = clock
        self._make = make
        self._known: dict[str, tuple[str, datetime]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, installation: str) -> str:
        """A token that is valid for minutes still."""
        async with self._turns[installation]:
            known = self._known.get(installation)
            if known is None or known[1] - self._clock.now() < _RENEWED:
                known = self._known[installation] = await self._make(installation)
            return known[0]

    def forget(self, installation: str) -> None:
        """GitHub no longer takes the token of an installation."""
        self._known.pop(installation, None)
