"""The links and pages that a pipeline's author can add to the site."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from markupsafe import Markup

from pycurrent.errors import UsageError
from pycurrent.service.login import Role, User

if TYPE_CHECKING:
    from pycurrent.facade import Engine

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody looks at a page of the author's."""

    user: User | None
    query: Mapping[str, str]
    """The parameters behind the `?` of the address."""
    of: Engine | None = field(default=None, repr=False)

    @property
    def engine(self) -> Engine:
        """The engine that the site belongs to. Raises `UsageError` for a visit without one, as
        tests may make it.
        """
        if self.of is None:
            raise UsageError("this visit has no engine: write Visit(user, query, engine)")
        return self.of


Content: TypeAlias = Markup | str
"""The content of a page: HTML as `markupsafe.Markup`, or plain text, which is escaped."""


@dataclass(frozen=True, slots=True)
class AuthorPage:
    """A page of the author's, at `/page/<name>`, within the frame of the site.

    `content` is called for each visit, on the event loop. Raises `UsageError` for a name that is
    no part of an address.
    """

    name: str
    title: str
    content: Callable[[Visit], Content | Awaitable[Content]]
    role: Role = Role.VIEWER
    """The role that it takes to see it."""

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} can't be the name of a page: use lower-case letters, digits and -"
            )

    @property
    def href(self) -> str:
        """The path of its address."""
        return f"/page/{self.name}"


@dataclass(frozen=True, slots=True)
class AuthorLink:
    """An entry of the navigation that leads elsewhere."""

    title: str
    href: str
    """Raises `UsageError` unless it is a path, or an address of the web."""
    role: Role = Role.VIEWER

    def __post_init__(self) -> None:
        if not self.href.startswith(("/", "https://", "http://")):
            raise UsageError(
                f"{self.href!r} can't be in the navigation: expected a path such as /page/x,"
                " or an address such as https://example.org"
            )


AuthorEntry: TypeAlias = AuthorPage | AuthorLink
