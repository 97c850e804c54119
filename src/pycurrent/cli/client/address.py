"""`pycurrent client address`: the address of the pages."""

from __future__ import annotations

from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import AccessDenied, Unreachable
from pycurrent.web.users.owner import address_with


def address(*, session: Given) -> None:
    """Print the address, without a request to the engine."""
    nearby = session.nearby
    if nearby.why_no_token is not None:
        raise AccessDenied(nearby.why_no_token)
    if nearby.url is None:
        raise Unreachable(
            "no engine is served from this state directory: start one with `pycurrent run`, or say"
            " where its state directory is with --state-dir"
        )
    shown = address_with(nearby.token, nearby.url)
    session.say({"address": shown}, [shown])
