"""The page that says what the site is, and how to read it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib.metadata import version

from fastapi import FastAPI, Request, Response

from pycurrent.term import State
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.state_badges import OF_STATE, Badge
from pycurrent.web.users import Role

_MEANINGS = {
    State.OK: "It has a value, which is up to date.",
    State.FAILED: "It has failed by itself. Its page says why, since when and after which change.",
    State.WAITING_FOR_CONFIRMATION: "Its job begins when somebody approves it, or the level of"
    " confirmation allows it.",
    State.RUNNING: "Its job is at work. A result that it had before counts until that has ended.",
    State.READY: "Its job could begin, and waits for a place in a pool, or for other jobs.",
    State.MUTED: "It has failed, and somebody has muted that: it does not fail what stands on it.",
    State.BLOCKED: "It has no value because something that it needs has failed or has none yet.",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """A state as pages show it, with what it means."""

    badge: Badge
    meaning: str


SIGNS = [Sign(badge, _MEANINGS[state]) for state, badge in OF_STATE.items()]


def add_help_page(app: FastAPI) -> None:
    routing.page(app, "/help", _help, Role.VIEWER)


async def _help(request: Request, service: ServiceOf) -> Response:
    pages = pages_of(request)
    return pages.render(
        request,
        "help.html",
        may_audit=pages.may(request, Role.ADMIN),
        about=inspect.cleandoc(service.engine.about).split("\n\n"),
        version=version("pycurrent"),
        started=service.started,
        signs=SIGNS,
    )
