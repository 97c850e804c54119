"""Puts the protection around an application."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import Scope

from pycurrent.web.auth import Entrance, SiteAddress
from pycurrent.web.middleware.bodies import LimitedBodies
from pycurrent.web.middleware.bugs import BugsAnswered
from pycurrent.web.middleware.compact import Compact
from pycurrent.web.middleware.headers import SecurityHeaders
from pycurrent.web.middleware.heads import HeadsAnswered
from pycurrent.web.middleware.hosts import OwnHostsOnly
from pycurrent.web.middleware.render import Render


def protect(
    app: FastAPI, site: SiteAddress, render: Render, limit_of: Callable[[Scope], int]
) -> None:
    """Put all layers around the application. Call it once, before the application answers.

    `limit_of(scope)` is the largest body of a request, in bytes.
    """
    # From the inside out: the headers are on all answers.
    app.add_middleware(Entrance)
    app.add_middleware(Compact)
    app.add_middleware(LimitedBodies, render=render, limit_of=limit_of)
    app.add_middleware(OwnHostsOnly, site=site, render=render)
    app.add_middleware(BugsAnswered, render=render)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadsAnswered)
