"""The meaning of Forgejo's answers, for people."""

from __future__ import annotations

from http import HTTPStatus

from pycurrent.plugins.forge.http import not_forge, said
from pycurrent.plugins.forgejo.sdk import httpx
from pycurrent.term import Failure, FailureKind

_SERVER = 500


def not_forgejo(site: str) -> Failure:
    """The failure of a request that something else has answered."""
    return not_forge(site, "Forgejo")


def refused(site: str, what: str, answer: httpx.Response) -> Failure:
    """The failure of a request that was answered with an error. `what` was asked for."""
    code, told = answer.status_code, said(answer)
    match code:
        case HTTPStatus.UNAUTHORIZED:
            why = f"{site} refuses the token: it is wrong, revoked or has expired: make a new one"
        case HTTPStatus.FORBIDDEN:
            why = (
                f"{site} does not allow {what}: the token needs the scopes read:user,"
                " write:repository and write:issue, and its user the right to write there; only"
                f" administrators of a repository may ask for permissions{told}"
            )
        case HTTPStatus.NOT_FOUND:
            why = (
                f"{what}: {site} has no such thing, or does not show it to the token's user: is it"
                f" gone, or was the user removed there?{told}"
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            why = f"{what}: {site} still asks for fewer requests, after many pauses"
        case _ if code >= _SERVER:
            why = f"{site} is out of order: HTTP status {code}{told}"
        case _ if code < HTTPStatus.BAD_REQUEST:
            return not_forgejo(site)
        case _:
            why = f"{what}: {site} refuses it with HTTP status {code}{told}"
    passes = code >= _SERVER or code == HTTPStatus.TOO_MANY_REQUESTS
    return Failure(why, kind=FailureKind.INFRA if passes else FailureKind.REAL)
