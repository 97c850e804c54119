"""The meaning of GitLab's answers, for people."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import Any

from pycurrent.plugins.gitlab.sdk import GitlabError, GitlabParsingError, requests
from pycurrent.term import Failure, FailureKind

_LONGEST = 300
_SERVER = 500


def unreachable(site: str, error: requests.RequestException) -> Failure:
    """The failure of a request that got no answer."""
    return Failure(f"{site} can't be reached: {_reason(error)}", kind=FailureKind.INFRA)


def refused(site: str, what: str, error: GitlabError) -> Failure:
    """The failure of a request that was answered with an error. `what` was asked for."""
    if isinstance(error, GitlabParsingError):
        return Failure(
            f"{site} answers with something that isn't GitLab's API: is the address right, and is"
            " there no page of a proxy in between?",
            kind=FailureKind.INFRA,
        )
    code = error.response_code or 0
    said = _said(error)
    match code:
        case HTTPStatus.UNAUTHORIZED:
            why = f"{site} refuses the token: it is wrong, revoked or has expired: make a new one"
        case HTTPStatus.FORBIDDEN:
            why = (
                f"{site} does not allow us {what}: the token needs the scope api, and its user the"
                f" role Developer there{said}"
            )
        case HTTPStatus.NOT_FOUND:
            why = f"{what}: {site} has no such thing, or does not show it to the token's user{said}"
        case _ if code >= _SERVER:
            why = f"{site} is out of order: HTTP status {code}{said}"
        case _:
            why = f"{what}: {site} refuses it with HTTP status {code}{said}"
    return Failure(why, kind=FailureKind.INFRA if code >= _SERVER else FailureKind.REAL)


def said_by(error: GitlabError) -> str:
    """GitLab's own words, on one line."""
    said: Any = error.error_message
    text = said if isinstance(said, str) else json.dumps(said)
    return " ".join(text.split())[:_LONGEST]


def _said(error: GitlabError) -> str:
    said = said_by(error)
    # The page of a proxy, or only the number that we name anyway.
    return "" if not said or "<" in said or said[:3].isdigit() else f": {said}"


def _reason(error: requests.RequestException) -> str:
    """Describe the error without what requests adds, which has the query in it."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy of the environment does not let us through"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
        inner = cause.args[0] if cause.args else None
        reason = getattr(cause, "reason", None)
        cause = next(
            (one for one in (reason, inner, cause.__cause__) if isinstance(one, BaseException)),
            None,
        )
    if "resolve" in str(error):
        return "its name is not known"
    return "the connection was broken off"
