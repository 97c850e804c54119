"""The errors of httpx in words for people: for the forges that are asked by it.

They are told by the names of their classes, so that this imports no client.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Protocol

from pycurrent.term import Failure, FailureKind

_LONGEST = 300
"""Characters of a forge's own words."""


class Answer(Protocol):
    """An answer of a client."""

    def json(self) -> Any: ...


def unreachable(site: str, error: Exception) -> Failure:
    """The failure of a request that got no answer."""
    return Failure(f"{site} can't be reached: {_reason(error)}", kind=FailureKind.INFRA)


def not_forge(site: str, name: str) -> Failure:
    """The failure of a request that something else has answered than the forge of this name."""
    return Failure(
        f"{site} answers with something that isn't {name}'s API: is the address right, and is"
        " there no page of a proxy in between?",
        kind=FailureKind.INFRA,
    )


def said(answer: Answer) -> str:
    """The forge's own words, on one line, behind a colon; nothing of a proxy's page."""
    try:
        told: Any = answer.json()
    except ValueError:
        return ""
    return words(told.get("message") if isinstance(told, dict) else None)


def words(told: object) -> str:
    """The same of a message alone, if it is one."""
    text = " ".join(told.split())[:_LONGEST] if isinstance(told, str) else ""
    return f": {text}" if text else ""


def _reason(error: Exception) -> str:
    """Describe the error without the address, which may have a query."""
    causes = list(_causes(error))
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "its certificate is not trusted, or it does not speak TLS"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its name is not known"
    if "ProxyError" in kinds:
        return "the proxy of the environment does not let us through"
    if "TimeoutException" in kinds:
        return "no answer in time"
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    if "ConnectError" in kinds:
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
