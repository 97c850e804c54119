"""Users of the site, people and programs, with their roles and the ways to log in.

It imports no web framework, which takes longer than everything else: the command line adds users
and makes tokens, and a pipeline's author names roles, without it.
"""

from pycurrent.web.users.password_file import PASSWORD_FILE, LocalUser, PasswordFile
from pycurrent.web.users.passwords import PasswordHash
from pycurrent.web.users.providers import (
    LoginProvider,
    LoginRefused,
    PasswordLogin,
    RedirectLogin,
)
from pycurrent.web.users.roles import HasRole, Origin, Role, User, granted

__all__ = [
    "PASSWORD_FILE",
    "HasRole",
    "LocalUser",
    "LoginProvider",
    "LoginRefused",
    "Origin",
    "PasswordFile",
    "PasswordHash",
    "PasswordLogin",
    "RedirectLogin",
    "Role",
    "User",
    "granted",
]
