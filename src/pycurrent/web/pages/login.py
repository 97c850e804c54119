"""Logging in and out."""

from __future__ import annotations

import hmac
import inspect
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from pycurrent.web.auth import Access, TooManyAttempts, access_of
from pycurrent.web.auth.cookies import LOGIN
from pycurrent.web.forms import read_form
from pycurrent.web.pages import routing
from pycurrent.web.pages.formatting import own_path
from pycurrent.web.pages.notes import Note
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.users import LoginRefused, PasswordLogin, RedirectLogin, User
from pycurrent.web.users.keys import new_key


def add_login_pages(app: FastAPI) -> None:
    routing.open_page(app, "/login", _login)
    routing.open_action(app, "/login/{provider}", _by_password)
    routing.open_page(app, "/login/{provider}/begin", _begin)
    routing.open_page(app, "/login/{provider}/callback", _finish)
    routing.open_action(app, "/logout", _logout)


async def _login(request: Request) -> Response:
    return _show(request, next=own_path(request.query_params.get("next")))


def _show(
    request: Request, *, next: str, name: str = "", wrong: str | None = None, status: int = 200
) -> Response:
    access = access_of(request)
    providers = access.providers
    return pages_of(request).render(
        request,
        "login.html",
        status=status,
        by_password=[one for one in providers if isinstance(one, PasswordLogin)],
        elsewhere=[one for one in providers if isinstance(one, RedirectLogin)],
        next=next,
        name=name,
        wrong=wrong,
        way_in=access.way_in if access.is_at_home else None,
    )


async def _by_password(request: Request, provider: str) -> Response:
    access, form = access_of(request), await read_form(request)
    next, name = own_path(form.get("next")), form.text("name").strip()
    for one in access.providers:
        if one.id == provider and isinstance(one, PasswordLogin):
            break
    else:
        raise _unknown(provider)
    try:
        outcome = await _checked(request, access, one, name, form.text("password"))
    except TooManyAttempts as error:
        response = _show(request, next=next, name=name, wrong=error.detail, status=429)
        response.headers.update(error.headers or {})
        return response
    if isinstance(outcome, LoginRefused):
        return _show(request, next=next, name=name, wrong=outcome.why, status=403)
    response = _let_in(request, access, outcome, next)
    access.remember(request, response, _login_name(one, name))
    return response


async def _checked(
    request: Request, access: Access, provider: PasswordLogin, name: str, password: str
) -> User | LoginRefused:
    """Raises `TooManyAttempts`."""
    who = _login_name(provider, name)
    source = access.source(request, who)
    with access.throttle.attempt(source, who):
        outcome = await provider.check(name, password)
    if isinstance(outcome, User):
        access.throttle.succeeded(source, who)
    return outcome


def _login_name(provider: PasswordLogin, name: str) -> str:
    return f"{provider.id}:{name[:100]}"


def _let_in(request: Request, access: Access, user: User, next: str) -> Response:
    response = RedirectResponse(next, status_code=303)
    access.log_in(request, response, user)
    return response


async def _begin(request: Request, provider: str) -> Response:
    """Send the browser to the other site. The same browser has to come back."""
    access, state = access_of(request), new_key()
    one = _elsewhere(access, provider)
    address = one.address(state=state, callback=_callback(request, access, provider))
    if inspect.isawaitable(address):
        address = await address
    if isinstance(address, LoginRefused):
        return _show(request, next="/", wrong=address.why, status=503)
    response = RedirectResponse(address, status_code=303)
    next = own_path(request.query_params.get("next"))
    access.cookies(request).set(response, LOGIN, f"{state}{next}")
    return response


async def _finish(request: Request, provider: str) -> Response:
    access = access_of(request)
    one = _elsewhere(access, provider)
    cookies = access.cookies(request)
    state, slash, next = (cookies.get(request, LOGIN) or "").partition("/")
    given = request.query_params.get("state", "")
    if not state or not hmac.compare_digest(given.encode(), state.encode()):
        raise HTTPException(400, "this login was not begun by this browser: log in again")
    outcome = await one.finish(
        request.query_params, state=state, callback=_callback(request, access, provider)
    )
    if isinstance(outcome, LoginRefused):
        response = _show(request, next="/", wrong=outcome.why, status=403)
    else:
        response = _let_in(request, access, outcome, own_path(slash + next))
    cookies.drop(response, LOGIN)
    return response


async def _logout(request: Request) -> Response:
    response = pages_of(request).go("/login", Note("You are logged out."))
    access_of(request).log_out(request, response)
    return response


def _elsewhere(access: Access, provider: str) -> RedirectLogin:
    for one in access.providers:
        if one.id == provider and isinstance(one, RedirectLogin):
            return one
    raise _unknown(provider)


def _unknown(provider: str) -> HTTPException:
    return HTTPException(404, f"nobody can log in by {provider!r} here")


def _callback(request: Request, access: Access, provider: str) -> str:
    base = access.site.public_origin or str(request.base_url)
    return f"{base.rstrip('/')}/login/{provider}/callback"


def login_path(next: str) -> str:
    """The page on which somebody can log in, to go on to `next`."""
    return f"/login?{urlencode({'next': next})}"
