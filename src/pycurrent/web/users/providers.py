"""Login providers: how people say who they are.

A provider of one of the two kinds below is given to the site by its settings. A user's id begins
with the provider's, so two of them never mean the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from pycurrent.web.users.roles import User


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The provider does not let somebody in. `why` is shown to them."""

    why: str


class _Provider(Protocol):
    @property
    def id(self) -> str:
        """Part of addresses and of user ids: letters, digits and `-`."""

    @property
    def title(self) -> str:
        """As shown: `GitHub`."""

    @property
    def is_ready(self) -> bool:
        """Whether anybody could log in by it now. Asked often."""

    def known(self, user: User) -> User | None:
        """Somebody who has logged in, as they are now; None: they are not let in any more.

        Asked on each of their requests, so it should answer from memory.
        """


@runtime_checkable
class PasswordLogin(_Provider, Protocol):
    """By a name and a password, in a form of ours."""

    async def check(self, name: str, password: str) -> User | LoginRefused:
        """Must take equally long whether there is somebody of that name or not."""


@runtime_checkable
class RedirectLogin(_Provider, Protocol):
    """On another site, which sends the browser back to ours (OAuth)."""

    def address(self, *, state: str, callback: str) -> str:
        """Where the browser is sent. The other site sends it back to `callback`, with `state`,
        256 random bits that belong to this attempt.
        """

    async def finish(
        self, query: Mapping[str, str], *, state: str, callback: str
    ) -> User | LoginRefused:
        """The browser has come back with this in its address; its `state` has been checked."""


LoginProvider: TypeAlias = PasswordLogin | RedirectLogin


@runtime_checkable
class SetUpLater(Protocol):
    """A provider that is there whether anybody wants to log in by it or not, as the password file
    is. One that does not say so was set up by who gave it to the site.
    """

    @property
    def is_set_up(self) -> bool:
        """Whether people have to log in. Once true, it stays so, whoever can: it is asked for on
        each request of somebody who has not.
        """


def is_set_up(provider: LoginProvider) -> bool:
    """Whether people have to log in because of this provider, even if nobody can now."""
    return provider.is_set_up if isinstance(provider, SetUpLater) else True
