"""Refusals of requests: HTTP errors, which become a page or a problem (RFC 9457)."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from starlette.exceptions import HTTPException

from pycurrent.service.login import Role, User


class NotLoggedIn(HTTPException):
    """The act takes a role, and nobody has logged in."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, detail, {"WWW-Authenticate": 'Bearer realm="pycurrent"'})


class NotAllowed(HTTPException):
    """The user does not have the role that the act takes."""

    def __init__(self, user: User | None, role: Role) -> None:
        who = "" if user is None else f", which {user.id} does not have"
        super().__init__(403, f"this takes the role {role.value}{who}")


class CsrfRejected(HTTPException):
    """Another site's page in the user's browser may have sent the change."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, detail)


class TooManyAttempts(HTTPException):
    """Logging in has failed too often. The next attempt is allowed after `wait`."""

    def __init__(self, wait: timedelta) -> None:
        seconds = ceil(wait.total_seconds())
        super().__init__(
            429,
            f"logging in has failed too often: try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )
