"""The dependencies of routes on the sender of a request and the sender's roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastapi import Request

from pycurrent.service.login import Role
from pycurrent.web.auth.access import ACCESS, Access, Caller
from pycurrent.web.settings import AccessSettings
from pycurrent.web.state_key import StateKey

_CALLER = StateKey[Caller]("caller")


def access_of(request: Request) -> Access:
    """The rules of the application that serves the request."""
    return ACCESS.get(request.app.state)


def caller_of(request: Request) -> Caller:
    """The sender of a request, found once. Raises `NotLoggedIn` for an invalid token."""
    known = _CALLER.find(request.state)
    return known or _CALLER.put(request.state, access_of(request).caller(request))


Required: TypeAlias = Callable[[Request], Awaitable[None]]


def require(role: Role) -> Required:
    """A dependency, for `Depends`: only who has the role gets further.

    Checks also that our own page or a program has sent a change
    (see `pycurrent.web.auth.csrf`). Raises `NotLoggedIn`, `NotAllowed` or `CsrfRejected`, which
    are HTTP errors.
    """

    async def required(request: Request) -> None:
        await access_of(request).check(request, caller_of(request), role)

    return required


def require_unless(role: Role, is_open: Callable[[AccessSettings], bool]) -> Required:
    """The same, unless the settings say that anybody may."""
    check = require(role)

    async def required(request: Request) -> None:
        if not is_open(access_of(request).settings):
            await check(request)

    return required


async def csrf_checked(request: Request) -> None:
    """A dependency of changes that anybody may make for themselves. Raises `CsrfRejected`."""
    await access_of(request).check_csrf(request, caller_of(request))
