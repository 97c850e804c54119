"""Users of the site, people and programs, with their roles and the ways to log in.

It imports no web framework, which takes longer than everything else: the command line adds users
and makes tokens, and a pipeline's author names roles, without it.
"""

from pycurrent.service.login import (
    HasRole,
    LoginProvider,
    LoginRefused,
    Origin,
    PasswordLogin,
    RedirectLogin,
    Role,
    User,
    granted,
)
from pycurrent.web.users.password_file import PASSWORD_FILE, LocalUser, PasswordFile
from pycurrent.web.users.passwords import PasswordHash

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
