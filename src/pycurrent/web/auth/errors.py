"""Why a request is refused: HTTP errors, which become a page or a problem (RFC 9457)."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from starlette.exceptions import HTTPException

from pycurrent.web.users.roles import Role, User


class NotLoggedIn(HTTPException):
    """It is not known who asks, and that would have to be known."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, detail, {"WWW-Authenticate": 'Bearer realm="pycurrent"'})


class NotAllowed(HTTPException):
    """Who asks does not have the role that it takes."""

    def __init__(self, user: User | None, role: Role) -> None:
        who = "" if user is None else f", which {user.id} does not have"
        super().__init__(403, f"this takes the role {role.value}{who}")
        self.role = role


class CsrfRejected(HTTPException):
    """A change that may have been sent by somebody else's page in the user's browser."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, detail)


class TooManyAttempts(HTTPException):
    """Logging in has failed too often. `wait` is until it may be tried again."""

    def __init__(self, wait: timedelta) -> None:
        seconds = ceil(wait.total_seconds())
        super().__init__(
            429,
            f"logging in has failed too often: try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )
