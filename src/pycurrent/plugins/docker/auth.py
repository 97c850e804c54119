"""Credentials for a registry."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Auth:
    """A user of a registry, and the password or token: context, never part of a key.

    The registry is `host` or `host:port`, by default that of the image which an operation is
    about. A job that needs it logs in for itself alone, in a temporary folder that ends with it.
    """

    username: str
    password: str = field(repr=False)
    registry: str | None = None
