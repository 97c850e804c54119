"""The meaning of GitHub's answers, for people."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from pycurrent.plugins.github.sdk import httpx
from pycurrent.term import Failure, FailureKind

_LONGEST = 300
_SERVER = 500


def unreachable(site: str, error: httpx.HTTPError) -> Failure:
    """The failure of a request that got no answer."""
    return Failure(f"{site} can't be reached: {_reason(error)}", kind=FailureKind.INFRA)


def not_github(site: str) -> Failure:
    """The failure of a request that something else has answered."""
    return Failure(
        f"{site} answers with something that isn't GitHub's API: is the address right, and is"
        " there no page of a proxy in between?",
        kind=FailureKind.INFRA,
    )


def refused(site: str, what: str, answer: httpx.Response) -> Failure:
    """The failure of a request that was answered with an error. `what` was asked for."""
    code, said = answer.status_code, _said(answer)
    match code:
        case HTTPStatus.UNAUTHORIZED if "JSON web token" in said or "Integration" in said:
            why = (
                f"{site} does not know the App: its id and its key have to belong together, and the"
                f" clock of this machine has to be right{said}"
            )
        case HTTPStatus.UNAUTHORIZED:
            why = f"{site} refuses the token: it is wrong, revoked or has expired: make a new one"
        case HTTPStatus.FORBIDDEN if "suspended" in said:
            why = f"{what}: the installation is suspended on {site}: its owner can lift that{said}"
        case HTTPStatus.FORBIDDEN:
            why = (
                f"{site} does not allow {what}: the App, or the token, needs the permission for"
                f" it, and an organisation with single sign-on has to authorise a token{said}"
            )
        case HTTPStatus.NOT_FOUND:
            why = (
                f"{what}: {site} has no such thing, or does not show it to us: is it gone, is the"
                f" App no longer installed there, or does it lack the permission?{said}"
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            why = f"{what}: {site} still asks for fewer requests, after many pauses"
        case _ if code >= _SERVER:
            why = f"{site} is out of order: HTTP status {code}{said}"
        case _ if code < HTTPStatus.BAD_REQUEST:
            return not_github(site)
        case _:
            why = f"{what}: {site} refuses it with HTTP status {code}{said}"
    passes = code >= _SERVER or code == HTTPStatus.TOO_MANY_REQUESTS
    return Failure(why, kind=FailureKind.INFRA if passes else FailureKind.REAL)


def _said(answer: httpx.Response) -> str:
    """GitHub's own words, on one line; nothing of a proxy's page."""
    try:
        told: Any = answer.json()
    except ValueError:
        return ""
    said = told.get("message") if isinstance(told, dict) else None
    text = " ".join(said.split())[:_LONGEST] if isinstance(said, str) else ""
    return f": {text}" if text else ""


def _reason(error: httpx.HTTPError) -> str:
    """Describe the error without the address, which may have a query."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "its certificate is not trusted, or it does not speak TLS"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its name is not known"
    if isinstance(error, httpx.ProxyError):
        return "the proxy of the environment does not let us through"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    if isinstance(error, httpx.ConnectError):
        return "nobody answers there"
    return "the connection was broken off"


def _causes(error: BaseException) -> Iterator[BaseException]:
    left: list[BaseException | None] = [error]
    while left:
        cause = left.pop()
        if cause is not None:
            yield cause
            left += [cause.__cause__ or cause.__context__]
            left += cause.exceptions if isinstance(cause, BaseExceptionGroup) else []
