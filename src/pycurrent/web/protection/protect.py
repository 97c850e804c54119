"""Puts the protection around an application."""

from __future__ import annotations

from fastapi import FastAPI

from pycurrent.web.auth import Entrance, Site
from pycurrent.web.protection.bodies import LimitedBodies
from pycurrent.web.protection.bugs import BugsAnswered
from pycurrent.web.protection.compact import Compact
from pycurrent.web.protection.headers import SecurityHeaders
from pycurrent.web.protection.heads import HeadsAnswered
from pycurrent.web.protection.hosts import OwnHostsOnly
from pycurrent.web.protection.render import Render


def protect(app: FastAPI, site: Site, render: Render) -> None:
    """Put all layers around the application. Call it once, before the application answers."""
    # From the inside out: the headers are on all answers.
    app.add_middleware(Entrance)
    app.add_middleware(Compact)
    app.add_middleware(LimitedBodies, render=render)
    app.add_middleware(OwnHostsOnly, site=site, render=render)
    app.add_middleware(BugsAnswered, render=render)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadsAnswered)
