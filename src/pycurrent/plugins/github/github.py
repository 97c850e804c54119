"""GitHub in a pipeline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from pycurrent.engine import Clock, Secret
from pycurrent.errors import WrongKind
from pycurrent.plugins.forge import Forge
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.checks import check_token, checked_site
from pycurrent.plugins.github.api import GithubApi
from pycurrent.plugins.github.client import SITE
from pycurrent.plugins.github.identity import AppIdentity, Identity, TokenIdentity
from pycurrent.term import shown


class _GitHub(Forge):
    kind: ClassVar[str] = "github"

    def __init__(self, url: str, identity: Identity, webhook_secret: Secret | str | None) -> None:
        self.site = checked_site(url, "GitHub", "https://github.example.org")
        self._identity = identity
        self._webhook_secret = webhook_secret

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.site!r})"

    def connect(self, clock: Clock) -> ForgeApi:
        return GithubApi(self.site, self._identity, self._webhook_secret, clock)


class App(_GitHub):
    """GitHub, seen as a GitHub App: its repositories are those where the App is installed.

    `id` is the App's id or client id, and `key_file` the private key that GitHub has made for it, a
    file in PEM, or a `Secret`. It needs the permissions Contents (read), Pull requests (read and
    write), Commit statuses (read and write) and Metadata (read). `webhook_secret` is that of its
    webhook. `url` is the address of a GitHub Enterprise Server. Raises `UsageError` for a malformed
    address or an empty id; a key that is none is a failure of what it is needed for.
    """

    def __init__(
        self,
        id: int | str,
        key_file: Path | str | Secret,
        *,
        webhook_secret: Secret | str | None = None,
        url: str = SITE,
    ) -> None:
        if not id or not isinstance(id, int | str):
            raise WrongKind(f"github.App takes the App's id, not {shown(id)}")
        if not isinstance(key_file, str | os.PathLike | Secret):
            raise WrongKind(
                f"github.App takes the path of its key, or a Secret, not {shown(key_file)}"
            )
        key = key_file if isinstance(key_file, Secret) else Path(key_file).absolute()
        super().__init__(url, AppIdentity(str(id), key), webhook_secret)


class GitHub(_GitHub):
    """GitHub, seen with a personal access token: its repositories are those of the token's user.

    A fine-grained token needs the permissions that `github.App` names, a classic one the scope
    `repo`. `webhook_secret` is that of the repositories' webhooks. Both are best given as a
    `Secret`. `url` is the address of a GitHub Enterprise Server. Raises `UsageError` for a
    malformed address or an empty token.
    """

    def __init__(
        self,
        token: Secret | str,
        *,
        webhook_secret: Secret | str | None = None,
        url: str = SITE,
    ) -> None:
        check_token(token, url)
        super().__init__(url, TokenIdentity(token), webhook_secret)
