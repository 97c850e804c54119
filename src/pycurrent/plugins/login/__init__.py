"""Logins at any OpenID provider. See `github.Login`, `gitlab.Login` and `forgejo.Login`, too."""

from pycurrent.plugins.login.oauth import OAuthLogin
from pycurrent.plugins.login.openid import OpenID

__all__ = ["OAuthLogin", "OpenID"]
