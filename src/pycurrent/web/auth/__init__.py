"""Who may do what on the site."""

from pycurrent.web.auth.access import Access, AccessSettings, Caller, Via, check_access
from pycurrent.web.auth.errors import Forged, NotAllowed, NotLoggedIn, TooManyAttempts
from pycurrent.web.auth.password_file import PASSWORD_FILE, LocalUser, PasswordFile
from pycurrent.web.auth.passwords import PasswordHash
from pycurrent.web.auth.providers import (
    LoginProvider,
    LoginRefused,
    PasswordLogin,
    RedirectLogin,
)
from pycurrent.web.auth.requests import CurrentUser, access_of, caller_of, meant, require
from pycurrent.web.auth.roles import HasRole, Origin, Role, User, granted
from pycurrent.web.auth.site import Reach, Site

__all__ = [
    "PASSWORD_FILE",
    "Access",
    "AccessSettings",
    "Caller",
    "CurrentUser",
    "Forged",
    "HasRole",
    "LocalUser",
    "LoginProvider",
    "LoginRefused",
    "NotAllowed",
    "NotLoggedIn",
    "Origin",
    "PasswordFile",
    "PasswordHash",
    "PasswordLogin",
    "Reach",
    "RedirectLogin",
    "Role",
    "Site",
    "TooManyAttempts",
    "User",
    "Via",
    "access_of",
    "caller_of",
    "check_access",
    "granted",
    "meant",
    "require",
]
