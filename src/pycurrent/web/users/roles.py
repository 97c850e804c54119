"""Roles, the users that have them, and the function that decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Role(Enum):
    """The rights of a user. Command line and database use the value as the name."""

    VIEWER = "viewer"
    """See everything except the metrics."""
    BUILDER = "builder"
    """Cancel and rebuild, set inputs and fire triggers, too."""
    MONITOR = "monitor"
    """See the metrics."""
    ADMIN = "admin"
    """Change log rules and the confirmation level, and start early what waits for it."""

    @property
    def included(self) -> frozenset[Role]:
        """All roles that this one grants: an admin has all, a builder is a viewer, too.

        A monitor is a program that collects metrics, and sees nothing else.
        """
        return _INCLUDED[self]


_INCLUDED = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.BUILDER: frozenset({Role.VIEWER, Role.BUILDER}),
    Role.MONITOR: frozenset({Role.MONITOR}),
    Role.ADMIN: frozenset(Role),
}


class Origin(Enum):
    """The way in which a user was identified."""

    LOGIN = "login"
    """A person, by a login provider."""
    OWNER = "owner"
    """The user who runs the engine, by the token in its state directory."""
    TOKEN = "token"  # noqa: S105 - the name of a kind
    """A program, by a token that was made on the command line."""


@dataclass(frozen=True, slots=True)
class User:
    """An identified person or program."""

    id: str
    """Unique, and stable: `<provider>:<name there>`, such as `local:alice` or `token:bot`."""
    name: str
    """The name for people."""
    granted: Role | None = None
    """The role that the user or token was made with on this machine."""
    origin: Origin = Origin.LOGIN


HasRole: TypeAlias = Callable[[User | None, Role], bool]
"""Returns True if a user has a role; None is somebody who has not logged in. Called on each
request, so it should answer from memory."""


def granted(user: User | None, role: Role) -> bool:
    """The default `HasRole`: the role that was granted on this machine."""
    return user is not None and user.granted is not None and role in user.granted.included
