"""The dependencies of routes on the sender of a request and the sender's roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from pycurrent.web.auth.access import ACCESS, Access, Caller
from pycurrent.web.settings import AccessSettings
from pycurrent.web.state_key import StateKey
from pycurrent.web.users.roles import Role, User

_CALLER = StateKey[Caller]("caller")


def access_of(request: Request) -> Access:
    """The rules of the application that serves the request."""
    return ACCESS.get(request.app.state)


def caller_of(request: Request) -> Caller:
    """The sender of a request, found once. Raises `NotLoggedIn` for an invalid token."""
    known = _CALLER.find(request.state)
    return known or _CALLER.put(request.state, access_of(request).caller(request))


async def current_user(request: Request) -> User | None:
    return caller_of(request).user


Required: TypeAlias = Callable[[Request], Awaitable[User | None]]

CurrentUser: TypeAlias = Annotated[User | None, Depends(current_user)]
"""A route's parameter: who asks; None is somebody who has not logged in."""


def require(role: Role) -> Required:
    """A dependency, for `Depends`: only who has the role gets further.

    Returns the user, for the log. Checks also that our own page or a program has sent a change
    (see `pycurrent.web.auth.csrf`). Raises `NotLoggedIn`, `NotAllowed` or `CsrfRejected`, which
    are HTTP errors.
    """

    async def required(request: Request) -> User | None:
        caller = caller_of(request)
        await access_of(request).check(request, caller, role)
        return caller.user

    return required


def require_unless(role: Role, is_open: Callable[[AccessSettings], bool]) -> Required:
    """The same, unless the settings say that anybody may."""
    check = require(role)

    async def required(request: Request) -> User | None:
        if is_open(access_of(request).settings):
            return None
        return await check(request)

    return required


async def csrf_checked(request: Request) -> None:
    """A dependency of changes that anybody may make for themselves. Raises `CsrfRejected`."""
    await access_of(request).check_csrf(request, caller_of(request))
