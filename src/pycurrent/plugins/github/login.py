"""Logins at GitHub by OAuth 2.0: it does not speak OpenID Connect with browsers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pycurrent.engine import Clock, Secret
from pycurrent.plugins.login.oauth import AccessEnded, Endpoints, OAuthLogin, Person
from pycurrent.service.login import Role

if TYPE_CHECKING:
    from pycurrent.plugins.login.sdk import AsyncOAuth2Client

_SITE = "https://github.com"
_UNAUTHORIZED = 401
_PAGE = 100
_LAST = 20
"""The most pages that are read of a list."""


class Login(OAuthLogin):
    """A login at GitHub, or at a GitHub Enterprise Server with its address as `url`.

    `client_id` and `secret` are those of a GitHub App or an OAuth app, whose callback is
    `https://<site>/login/github/callback`. Roles can be given to `user:NAME`, `org:NAME` and
    `team:ORG/TEAM`, by the names in addresses; organisations and teams are asked for only if
    any role is given to one, and an OAuth app has to be approved by the organisation.
    """

    kinds: ClassVar[tuple[str, ...]] = ("user", "org", "team")

    def __init__(
        self,
        client_id: str,
        secret: Secret | str,
        *,
        roles: Mapping[str, Role],
        url: str = _SITE,
        id: str = "github",
        title: str = "GitHub",
        clock: Clock | None = None,
    ) -> None:
        is_asked = any(str(who).startswith(("org:", "team:")) for who in roles or ())
        super().__init__(
            client_id,
            secret,
            roles=roles,
            id=id,
            title=title,
            scopes=["read:org"] if is_asked else [],
            clock=clock,
        )
        self._site = url.rstrip("/")
        self._api = "https://api.github.com" if self._site == _SITE else f"{self._site}/api/v3"

    async def endpoints(self) -> Endpoints:
        oauth = f"{self._site}/login/oauth"
        return Endpoints(f"{oauth}/authorize", f"{oauth}/access_token")

    async def check_identity(self, token: Mapping[str, Any], nonce: str) -> None:
        """GitHub gives no ID token: the person is asked for with the token, over TLS."""

    async def person(self, client: AsyncOAuth2Client) -> Person:
        told = await self._get(client, "/user", 1)
        if not isinstance(told, dict) or not isinstance(told.get("login"), str):
            raise ValueError(f"{self.title} does not say who has logged in")
        parts = {f"user:{told['login']}"}
        if self.grants.names("org"):
            orgs = await self._list(client, "/user/orgs")
            parts |= {f"org:{org['login']}" for org in orgs}
        if self.grants.names("team"):
            teams = await self._list(client, "/user/teams")
            parts |= {f"team:{team['organization']['login']}/{team['slug']}" for team in teams}
        name = told.get("name")
        shown = name if isinstance(name, str) and name else told["login"]
        return Person(told["login"], shown, frozenset(parts))

    async def _list(self, client: AsyncOAuth2Client, path: str) -> list[Any]:
        found: list[Any] = []
        for page in range(1, _LAST + 1):
            told = await self._get(client, path, page)
            if not isinstance(told, list):
                raise ValueError(f"{self.title} gives no list for {path}")
            found += told
            if len(told) < _PAGE:
                break
        return found

    async def _get(self, client: AsyncOAuth2Client, path: str, page: int) -> Any:
        query = {} if path == "/user" else {"per_page": _PAGE, "page": page}
        answer = await client.get(
            f"{self._api}{path}",
            params=query,
            headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        )
        if answer.status_code == _UNAUTHORIZED:
            raise AccessEnded
        answer.raise_for_status()
        return answer.json()
