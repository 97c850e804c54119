"""Users, their roles, and the login providers by which people say who they are.

It imports nothing of ours and no library: plugins and authors write providers without a site.

A site's settings name providers of the two kinds below. A user's id begins with that of the
provider, so two providers never mean the same user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias, runtime_checkable


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


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The provider refuses a login. The page shows `why`."""

    why: str


class _Provider(Protocol):
    @property
    def id(self) -> str:
        """Part of addresses and of user ids: letters, digits and `-`."""

    @property
    def title(self) -> str:
        """The name for people: `GitHub`."""

    @property
    def is_ready(self) -> bool:
        """True if anybody could log in by it now. Called often."""

    def known(self, user: User) -> User | None:
        """The present state of a user who has logged in, or None to end the session.

        Called on each of their requests, so it should answer from memory.
        """


@runtime_checkable
class PasswordLogin(_Provider, Protocol):
    """A login by name and password, in the site's own form."""

    async def check(self, name: str, password: str) -> User | LoginRefused:
        """Check a login. Must take equally long for known and unknown names."""


@runtime_checkable
class RedirectLogin(_Provider, Protocol):
    """A login on another site, which sends the browser back to ours (OAuth)."""

    def address(
        self, *, state: str, callback: str
    ) -> str | LoginRefused | Awaitable[str | LoginRefused]:
        """The address to send the browser to. The other site sends it back to `callback`, with
        `state`, 256 random bits that belong to this attempt. Async if the other site has to be
        asked for it.
        """

    async def finish(
        self, query: Mapping[str, str], *, state: str, callback: str
    ) -> User | LoginRefused:
        """Finish the login of a browser that came back with `query`; `state` has been checked."""


LoginProvider: TypeAlias = PasswordLogin | RedirectLogin


@runtime_checkable
class SetUpLater(Protocol):
    """A provider that is always there, like the password file, and may be set up later. Any other
    provider counts as set up because the settings name it.
    """

    @property
    def is_set_up(self) -> bool:
        """True if people have to log in. It stays true from then on, even if nobody can. Called on
        each request of somebody who has not logged in.
        """


def is_set_up(provider: LoginProvider) -> bool:
    """True if people have to log in because of this provider, even if nobody can now."""
    return provider.is_set_up if isinstance(provider, SetUpLater) else True
