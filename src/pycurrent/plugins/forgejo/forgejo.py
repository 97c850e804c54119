"""Forgejo in a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pycurrent.engine import Clock, Secret
from pycurrent.errors import UsageError
from pycurrent.plugins.forge import Forge
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forgejo.api import ForgejoApi
from pycurrent.plugins.forgejo.client import checked_url


class Forgejo(Forge):
    """A Forgejo or Gitea, seen with a token.

    `url` is the address of its pages. The token needs the scopes `read:user`, `write:repository`
    and `write:issue`; its user sees the repositories that it owns or has a part in, or all of
    `organizations`. `webhook_secret` is that of its webhooks. Both are best given as a `Secret`,
    which is read when it is needed. Raises `UsageError` for a malformed address or an empty token.
    """

    kind: ClassVar[str] = "forgejo"

    def __init__(
        self,
        url: str,
        *,
        token: Secret | str,
        organizations: Sequence[str] = (),
        webhook_secret: Secret | str | None = None,
    ) -> None:
        try:
            self.site = checked_url(url)
        except ValueError:
            raise UsageError(
                f"{url!r} is not the address of a Forgejo: expected https://git.example.org"
            ) from None
        if not token:
            raise UsageError(f"the token for {self.site} is empty: is the secret set?")
        self._token = token
        self._organizations = tuple(organizations)
        self._webhook_secret = webhook_secret

    def __repr__(self) -> str:
        return f"Forgejo({self.site!r})"

    def connect(self, clock: Clock) -> ForgeApi:
        return ForgejoApi(
            self.site,
            token=self._token,
            organizations=self._organizations,
            webhook_secret=self._webhook_secret,
            clock=clock,
        )
