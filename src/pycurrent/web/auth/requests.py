"""Who sent a request, and whether they may: what the routes depend on."""

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
    """Who sent it. Found out once. Raises `NotLoggedIn` for a token that is not valid."""
    known = _CALLER.find(request.state)
    return known or _CALLER.put(request.state, access_of(request).caller(request))


async def current_user(request: Request) -> User | None:
    return caller_of(request).user


Required: TypeAlias = Callable[[Request], Awaitable[User | None]]

CurrentUser: TypeAlias = Annotated[User | None, Depends(current_user)]
"""A route's parameter: who asks; None is somebody who has not logged in."""


def require(role: Role) -> Required:
    """A dependency, for `Depends`: only who has the role gets further.

    Gives the user, for the log. What changes something is checked to be meant, too: to have been
    sent by our own page, or by a program (see `pycurrent.web.auth.csrf`). Raises
    `NotLoggedIn`, `NotAllowed` or `CsrfRejected`, which are HTTP errors.
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
    """A dependency, of what anybody may change for themselves. Raises `CsrfRejected`."""
    await access_of(request).check_meant(request, caller_of(request))
