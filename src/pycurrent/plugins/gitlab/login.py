"""Logins at GitLab, which is an OpenID provider."""

from __future__ import annotations

from collections.abc import Mapping

from pycurrent.engine import Clock, Secret
from pycurrent.plugins.login.openid import OpenID
from pycurrent.service.login import Role


class Login(OpenID):
    """A login at a GitLab with the address `url`.

    `client_id` and `secret` are those of an application there that has the scopes `openid` and
    `profile`, and the callback `https://<site>/login/gitlab/callback`. Roles can be given to
    `user:NAME`, and to groups by their whole paths: `group:octo/tools`.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: Secret | str,
        *,
        roles: Mapping[str, Role],
        id: str = "gitlab",
        title: str = "GitLab",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            url,
            client_id,
            secret,
            roles=roles,
            id=id,
            title=title,
            user_claim="nickname",
            scopes=[],
            clock=clock,
        )
