"""Forgejo in a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pycurrent.engine import Clock, Secret
from pycurrent.plugins.forge import Forge
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.checks import check_token, checked_site
from pycurrent.plugins.forgejo.api import ForgejoApi


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
        self.site = checked_site(url, "Forgejo", "https://git.example.org")
        check_token(token, self.site)
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
