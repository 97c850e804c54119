"""Login providers, by which people say who they are.

The site's settings name providers of the two kinds below. A user's id begins with that of the
provider, so two providers never mean the same user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from pycurrent.web.users.roles import User


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

    def address(self, *, state: str, callback: str) -> str:
        """The address to send the browser to. The other site sends it back to `callback`, with
        `state`, 256 random bits that belong to this attempt.
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
