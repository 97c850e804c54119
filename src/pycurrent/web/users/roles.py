"""Who may do what: roles, the users that have them, and the function that decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Role(Enum):
    """What somebody may do. Its value is what the command line and the database call it."""

    VIEWER = "viewer"
    """See everything but the metrics."""
    BUILDER = "builder"
    """Cancel, and rebuild."""
    MONITOR = "monitor"
    """See the metrics."""
    ADMIN = "admin"
    """Change log rules and the confirmation level, and start early what waits for it."""

    @property
    def included(self) -> frozenset[Role]:
        """What who was granted this role may do: an admin all, a builder see what they build.

        A monitor is a machine that collects metrics, and sees nothing else.
        """
        return _INCLUDED[self]


_INCLUDED = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.BUILDER: frozenset({Role.VIEWER, Role.BUILDER}),
    Role.MONITOR: frozenset({Role.MONITOR}),
    Role.ADMIN: frozenset(Role),
}


class Origin(Enum):
    """How a user came to be known."""

    LOGIN = "login"
    """A person, told by a login provider."""
    OWNER = "owner"
    """Who runs the engine, told by the token in its state directory."""
    TOKEN = "token"  # noqa: S105 - the name of a kind
    """A machine, by a token that was made on the command line."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is known."""

    id: str
    """Unique, and stable: `<provider>:<name there>`, such as `local:alice` or `token:bot`."""
    name: str
    """As shown."""
    granted: Role | None = None
    """The role that whoever made the user or token on this machine gave it."""
    origin: Origin = Origin.LOGIN


HasRole: TypeAlias = Callable[[User | None, Role], bool]
"""Whether a user has a role; None is somebody who has not logged in. Asked on each request, so
it should answer from memory."""


def granted(user: User | None, role: Role) -> bool:
    """The `HasRole` where a pipeline's author gives none: what was granted on this machine."""
    return user is not None and user.granted is not None and role in user.granted.included
