"""The routes of pages: each says which role it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastapi import Depends, FastAPI, Response

from pycurrent.web.auth import csrf_checked, require
from pycurrent.web.users import Role

Endpoint: TypeAlias = Callable[..., Awaitable[Response]]


def page(app: FastAPI, path: str, endpoint: Endpoint, role: Role) -> None:
    """Add a page for users with the role."""
    _add(app, ["GET", "HEAD"], path, endpoint, require(role))


def action(app: FastAPI, path: str, endpoint: Endpoint, role: Role) -> None:
    """Add the action of a form for users with the role."""
    _add(app, ["POST"], path, endpoint, require(role))


def open_page(app: FastAPI, path: str, endpoint: Endpoint) -> None:
    """Something to be seen by anybody: the way in."""
    app.add_api_route(
        path, endpoint, methods=["GET", "HEAD"], include_in_schema=False, response_model=None
    )


def open_action(app: FastAPI, path: str, endpoint: Endpoint) -> None:
    """Something that anybody may do, for themselves."""
    _add(app, ["POST"], path, endpoint, csrf_checked)


def _add(
    app: FastAPI,
    methods: list[str],
    path: str,
    endpoint: Endpoint,
    check: Callable[..., Awaitable[object]],
) -> None:
    app.add_api_route(
        path,
        endpoint,
        methods=methods,
        dependencies=[Depends(check)],
        include_in_schema=False,
        response_model=None,
    )
