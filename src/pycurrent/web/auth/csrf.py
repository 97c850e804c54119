"""Refuses changes that another site's page has had a browser send (CSRF).

A browser adds cookies to what any page sends, and on this machine there may be no need for any.
So for a request that changes something

1. a bearer token is enough: no other page knows it;
2. it must not say that it comes from another site (`Origin`, `Sec-Fetch-Site`);
3. if it carries a cookie of ours, or is a form, it has to bring the token that is in our pages:
   in the header `X-CSRF-Token`, or the form's field `csrf_token`.

Any other request is a call of the API by a program: no page that passes 2 sends it.
"""

from __future__ import annotations

from fastapi import Request

from pycurrent.web.auth.errors import CsrfRejected
from pycurrent.web.auth.names import NoHostName, origin_of
from pycurrent.web.forms import read_form
from pycurrent.web.users.keys import is_form_token

HEADER = "x-csrf-token"
FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""The types of content that a browser sends to other sites without asking them."""


def check_origin(request: Request, *, public_origin: str | None) -> None:
    """Raise `CsrfRejected` if a request says that a page of another site sent it."""
    site = request.headers.get("sec-fetch-site")
    if site not in {None, "same-origin", "none"}:
        raise CsrfRejected("this was sent by a page of another site")
    origin = request.headers.get("origin")
    if origin is None:
        return
    own = {origin_of(f"{request.url.scheme}://{request.headers['host']}")}
    if public_origin is not None:
        own.add(public_origin)
    if _spelled(origin) not in own:
        raise CsrfRejected(
            f"this was sent by a page of {origin}, not of {' or '.join(sorted(own))}: if that is"
            " how this site is reached, say so with --public-url"
        )


async def check_token(request: Request, key: str | None) -> None:
    """Raise `CsrfRejected` unless a request has the token of `key`, the browser's cookie.

    A program that sends neither a cookie nor a form needs none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = kind in _FORMS
    if key is None and not is_form:
        return
    given = request.headers.get(HEADER)
    if given is None and is_form:
        given = (await read_form(request)).get(FIELD)
    if key is None or given is None or not is_form_token(given, key):
        raise CsrfRejected(
            "this was not sent from one of our pages, or from one that was open for too long:"
            " go back, load it again, and try once more"
        )


def _spelled(origin: str) -> str | None:
    """The origin in our spelling; None for one that is not of a site, such as `null`."""
    try:
        return origin_of(origin)
    except NoHostName:
        return None
