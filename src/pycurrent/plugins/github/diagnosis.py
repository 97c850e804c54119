"""The meaning of GitHub's answers, for people."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, TypeAlias

from pycurrent.plugins.forge.http import not_forge, said, words
from pycurrent.plugins.github.sdk import httpx
from pycurrent.term import Failure, FailureKind

Advice: TypeAlias = Mapping[int, str]
"""Tells what to do about a refusal, by its HTTP status; the general words stand for the others."""

NO_ADVICE: Advice = MappingProxyType({})

_SERVER = 500


class OutOfOrder(Failure):
    """GitHub can't do it now; of a query that reads much it may do a part."""


def not_github(site: str) -> Failure:
    """The failure of a request that something else has answered."""
    return not_forge(site, "GitHub")


def refused(site: str, what: str, answer: httpx.Response, advice: Advice = NO_ADVICE) -> Failure:
    """The failure of a request that was answered with an error. `what` was asked for."""
    code, told = answer.status_code, said(answer)
    match code:
        case HTTPStatus.UNAUTHORIZED if "JSON web token" in told or "Integration" in told:
            why = (
                f"{site} does not know the App: its id and its key have to belong together, and the"
                f" clock of this machine has to be right{told}"
            )
        case HTTPStatus.UNAUTHORIZED:
            why = f"{site} refuses the token: it is wrong, revoked or has expired: make a new one"
        case HTTPStatus.FORBIDDEN if "suspended" in told:
            why = f"{what}: the installation is suspended on {site}: its owner can lift that{told}"
        case _ if code in advice:
            why = f"{what}: {site} refuses it with HTTP status {code}{told}: {advice[code]}"
        case HTTPStatus.FORBIDDEN:
            why = _not_allowed(site, what, told)
        case HTTPStatus.NOT_FOUND:
            why = _not_there(site, what, told)
        case HTTPStatus.TOO_MANY_REQUESTS:
            why = f"{what}: {site} still asks for fewer requests, after many pauses"
        case _ if code >= _SERVER:
            return OutOfOrder(
                f"{site} is out of order: HTTP status {code}{told}", kind=FailureKind.INFRA
            )
        case _ if code < HTTPStatus.BAD_REQUEST:
            return not_github(site)
        case _:
            why = f"{what}: {site} refuses it with HTTP status {code}{told}"
    passes = code == HTTPStatus.TOO_MANY_REQUESTS
    return Failure(why, kind=FailureKind.INFRA if passes else FailureKind.REAL)


def not_answered(site: str, what: str, error: Mapping[str, Any]) -> Failure:
    """The failure of a query, or of a part of it, by an error of GraphQL. `what` was asked for."""
    told = words(error.get("message"))
    match error.get("type"):
        case "NOT_FOUND":
            return Failure(_not_there(site, what, told))
        case "FORBIDDEN" | "INSUFFICIENT_SCOPES":
            return Failure(_not_allowed(site, what, told))
        case _:
            # Its time is over, or it is too much: GitHub says so in many ways.
            return OutOfOrder(f"{what}: {site} gives no answer{told}", kind=FailureKind.INFRA)


def renamed(site: str, what: str) -> Failure:
    """The failure of what was asked for by a name that belongs to another repository now."""
    return Failure(
        f"{what}: {site} has another repository under this name now: the list of repositories"
        " tells where it has gone"
    )


def _not_allowed(site: str, what: str, told: str) -> str:
    return (
        f"{site} does not allow {what}: the App, or the token, needs the permission for it, and an"
        f" organisation with single sign-on has to authorise a token{told}"
    )


def _not_there(site: str, what: str, told: str) -> str:
    return (
        f"{what}: {site} has no such thing, or does not show it to us: is it gone, is the App no"
        f" longer installed there, or does it lack the permission?{told}"
    )
