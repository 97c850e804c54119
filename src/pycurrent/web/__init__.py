"""The dashboard and the HTTP API: what a pipeline's author says about them.

Importing it imports no web framework: a script names its `site` here whatever it is run for.
"""

from pycurrent.service.routes import Route, RouteAnswer, RouteHandler, RouteRequest
from pycurrent.web.embedded import Site
from pycurrent.web.extensions import AuthorEntry, AuthorLink, AuthorPage, Content, Visit
from pycurrent.web.settings import AccessSettings, WebSettings
from pycurrent.web.users import (
    HasRole,
    LoginProvider,
    LoginRefused,
    Origin,
    PasswordFile,
    PasswordLogin,
    RedirectLogin,
    Role,
    User,
)

__all__ = [
    "AccessSettings",
    "AuthorEntry",
    "AuthorLink",
    "AuthorPage",
    "Content",
    "HasRole",
    "LoginProvider",
    "LoginRefused",
    "Origin",
    "PasswordFile",
    "PasswordLogin",
    "RedirectLogin",
    "Role",
    "Route",
    "RouteAnswer",
    "RouteHandler",
    "RouteRequest",
    "Site",
    "User",
    "Visit",
    "WebSettings",
]
