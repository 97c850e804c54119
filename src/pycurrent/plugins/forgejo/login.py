"""Logins at Forgejo, which is an OpenID provider."""

from __future__ import annotations

from collections.abc import Mapping

from pycurrent.engine import Clock, Secret
from pycurrent.plugins.login.openid import OpenID
from pycurrent.service.login import Role


class Login(OpenID):
    """A login at a Forgejo with the address `url`.

    `client_id` and `secret` are those of an OAuth2 application there, whose callback is
    `https://<site>/login/forgejo/callback`. Roles can be given to `user:NAME`, to organisations,
    `group:octo`, and to teams, `group:octo:deployers`. Gitea is the same.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: Secret | str,
        *,
        roles: Mapping[str, Role],
        id: str = "forgejo",
        title: str = "Forgejo",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            url,
            client_id,
            secret,
            roles=roles,
            id=id,
            title=title,
            user_claim="preferred_username",
            scopes=["groups"],
            clock=clock,
        )
