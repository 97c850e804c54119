"""Turns errors into answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

Render: TypeAlias = Callable[[Request, HTTPException], Awaitable[Response]]
"""Turns an error into a page or a problem. Must not fail, for any request."""
