"""The cookies of the site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request, Response

SESSION = "session"
"""Opens the site to a user who has logged in."""
VISITOR = "visitor"
"""Ties the forms to the browser of a visitor who has not."""
KNOWN = "known"
"""Tells a browser with which somebody has logged in by a password: attempts from
elsewhere don't slow them down.
"""
LOGIN = "login"
"""Ties an attempt to log in elsewhere to the browser that began it."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """How they are named and set, for one engine.

    Cookies don't tell ports apart, so their names identify the engine: two on one machine
    would log each other out. Behind https the name makes browsers refuse what anybody else has
    set (`__Host-`).
    """

    secure: bool
    engine_id: str

    @classmethod
    def of(cls, request: Request, *, public_origin: str | None, engine_id: str) -> Cookies:
        https = request.url.scheme == "https" or (public_origin or "").startswith("https://")
        return cls(https, engine_id)

    def name(self, kind: str) -> str:
        prefix = "__Host-" if self.secure else ""
        return f"{prefix}pycurrent-{kind}-{self.engine_id}"

    def get(self, request: Request, kind: str) -> str | None:
        return request.cookies.get(self.name(kind)) or None

    def set(
        self, response: Response, kind: str, value: str, *, last: timedelta | None = None
    ) -> None:
        """Until the browser is closed, or for so long."""
        response.set_cookie(
            self.name(kind),
            value,
            max_age=None if last is None else int(last.total_seconds()),
            httponly=True,
            secure=self.secure,
            # A link from elsewhere finds people logged in; a form from elsewhere does not.
            samesite="lax",
        )

    def drop(self, response: Response, kind: str) -> None:
        response.delete_cookie(self.name(kind), httponly=True, secure=self.secure, samesite="lax")
