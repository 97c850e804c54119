"""GitLab in a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pycurrent.engine import Clock, Secret
from pycurrent.plugins.forge import Forge
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.checks import check_token, checked_site
from pycurrent.plugins.gitlab.api import GitlabApi


class GitLab(Forge):
    """A GitLab, seen with a token.

    `url` is the address of its pages. The token needs the scope `api`, and its user the role
    Developer. It sees the projects of which its user is a member, or all of `groups`, with their
    subgroups. `webhook_secret` is the signing token (`whsec_...`) or the secret token of its
    webhooks. Both are best given as a `Secret`, which is read when it is needed. Raises
    `UsageError` for a malformed address or an empty token.
    """

    kind: ClassVar[str] = "gitlab"

    def __init__(
        self,
        url: str = "https://gitlab.com",
        *,
        token: Secret | str,
        groups: Sequence[str] = (),
        webhook_secret: Secret | str | None = None,
    ) -> None:
        self.site = checked_site(url, "GitLab", "https://gitlab.example.org")
        check_token(token, self.site)
        self._token = token
        self._groups = tuple(groups)
        self._webhook_secret = webhook_secret

    def __repr__(self) -> str:
        return f"GitLab({self.site!r})"

    def connect(self, clock: Clock) -> ForgeApi:
        return GitlabApi(
            self.site,
            token=self._token,
            groups=self._groups,
            webhook_secret=self._webhook_secret,
            clock=clock,
        )
