"""The abilities of a forge: a protocol of a dozen calls, which GitHub, GitLab and Forgejo
implement. All else (currents, sweeps, deliveries, publishers) is written once, upon it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from pycurrent.plugins.forge.values import (
    Change,
    Comment,
    Delivery,
    Permission,
    Press,
    Ref,
    Refused,
    Repository,
    Status,
)
from pycurrent.plugins.git import Token

if TYPE_CHECKING:
    from pycurrent.facade import Engine
    from pycurrent.plugins.forge.links import ForgeLink


class Buttons(Protocol):
    """Obeys the buttons of a forge's checks."""

    async def obey(self, press: Press, link: ForgeLink, engine: Engine) -> None:
        """Do what a button is for, if the person may. It is called again after a kill before it has
        returned: what it records it records last, and then awaits nothing. Raises `Failure`.
        """


class ForgeApi(Protocol):
    """One forge, seen with one identity. Belongs to one event loop.

    Each call raises `Failure`: of kind INFRA for what may pass by itself (the network, 5xx, a limit
    of requests), otherwise with what is to be done by whom. Calls wait for the forge's limit of
    requests by themselves, and say so to the job that asks. Answers are read page by page to their
    end; things that we may not see are left out, without an error.
    """

    @property
    def kind(self) -> str:
        """`github`, `gitlab` or `forgejo`: part of the ids of operations."""

    @property
    def site(self) -> str:
        """The address of its pages: `https://github.com`, without a slash at the end."""

    async def repositories(self) -> tuple[Repository, ...]:
        """All that we are let in to, by path."""

    @property
    def refusals(self) -> tuple[str, ...]:
        """The refusals of the last listing of repositories, in words for people: a part of them is
        as it was before, or left out.
        """

    @property
    def at_once(self) -> int:
        """Of how many repositories the refs are asked for at once: few, unless they share
        requests.
        """

    async def refs(self, repository: Repository) -> tuple[Ref, ...]:
        """The branches, tags, open changes and merge groups of a repository, as they are now. An
        unchanged repository should cost nothing of the quota, or share a request with others.
        """

    async def status(self, ref: Ref, context: str) -> Status | None:
        """The status of a commit under a name that we have set last, as `as_shown` gives it."""

    async def set_status(self, ref: Ref, status: Status) -> None:
        """Say it of the ref's commit. The caller has looked whether it is said already."""

    def as_shown(self, status: Status) -> Status:
        """A status as the forge keeps it: cut to its limits, with the nearest verdict it has."""

    async def comment(self, change: Change, mark: str) -> Comment | None:
        """Our comment on a change that has the hidden mark in it."""

    async def write_comment(self, change: Change, body: str, earlier: Comment | None) -> Comment:
        """Write a comment, or edit the earlier one."""

    async def permission(self, repository: Repository, person: str) -> Permission:
        """The permission that a person has there now; NONE for somebody unknown."""

    async def clone_token(self, repository: Repository) -> Token | None:
        """A token that fetches from the repository now; None if it needs none."""

    @property
    def buttons(self) -> Buttons | None:
        """Obeys the buttons of our checks; None where there are none."""

    def verify(self, headers: Mapping[str, str], body: bytes) -> Delivery | Refused:
        """Verify a delivery over its raw bytes, in constant time, and read what it says. Headers
        have lower-case names. An event that we don't know is verified, and says nothing.
        """

    def limited_until(self, repository: Repository) -> datetime | None:
        """Until when requests for a repository wait because of the forge's limit; None if they
        don't.
        """

    async def aclose(self) -> None:
        """End its connections. Twice is fine."""
