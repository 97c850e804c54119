"""Forgejo, and Gitea, as a forge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from pycurrent.engine import Clock, Secret
from pycurrent.plugins.forge.checks import webhook_text
from pycurrent.plugins.forge.values import (
    Change,
    Comment,
    Delivery,
    Permission,
    Ref,
    Refused,
    Repository,
    Status,
)
from pycurrent.plugins.forgejo import reading
from pycurrent.plugins.forgejo.client import ForgejoClient
from pycurrent.plugins.forgejo.deliveries import verified
from pycurrent.plugins.git import Token


class ForgejoApi:
    """One Forgejo, seen with one token: see `ForgeApi`. `url` has no slash at its end.

    The repositories are those of `organizations`, or else all that the token's user owns, or has a
    part in.
    """

    kind = "forgejo"
    at_once = 8
    refusals = ()
    buttons = None

    def __init__(
        self,
        url: str,
        *,
        token: Secret | str,
        organizations: Sequence[str] = (),
        webhook_secret: Secret | str | None = None,
        clock: Clock,
    ) -> None:
        self.site = url
        self._client = ForgejoClient(url, token, clock)
        self._organizations = tuple(organizations)
        self._webhook_secret = webhook_secret

    async def repositories(self) -> tuple[Repository, ...]:
        if not self._organizations:
            told = await self._client.pages("the list of repositories", "/user/repos")
        else:
            told = [
                repository
                for name in self._organizations
                for repository in await self._client.pages(
                    f"the repositories of {name}", f"/orgs/{quote(name, safe='')}/repos"
                )
            ]
        found = {one["id"]: reading.repository_of(self.site, one) for one in told}
        return tuple(sorted(found.values(), key=lambda one: one.path))

    async def refs(self, repository: Repository) -> tuple[Ref, ...]:
        if repository.default_branch is None:
            return ()  # Forgejo answers 404, or 409, for the branches of an empty one.
        at, pages = _path(repository), self._client.pages
        branches, tags, changes = await asyncio.gather(
            pages(f"the branches of {repository}", f"{at}/branches"),
            pages(f"the tags of {repository}", f"{at}/tags"),
            pages(f"the pull requests of {repository}", f"{at}/pulls", {"state": "open"}),
        )
        return (
            *(reading.branch_of(repository, told) for told in branches),
            *(reading.tag_of(repository, told) for told in tags),
            # The list moves while it is read: one may be on two pages.
            *{told["id"]: reading.change_of(repository, told) for told in changes}.values(),
        )

    async def status(self, ref: Ref, context: str) -> Status | None:
        what = f"the statuses of {ref.hash[:10]} in {ref.repository}"
        path = f"{_path(ref.repository)}/commits/{ref.hash}/statuses"
        newest_first = self._client.each(what, path, {"sort": "highestindex"})
        async for told in newest_first:
            if told["context"] == context:
                return reading.status_of(told)
        return None

    async def set_status(self, ref: Ref, status: Status) -> None:
        shown = self.as_shown(status)
        what = f"to set the status {shown.context!r} of {ref.hash[:10]} in {ref.repository}"
        body = {
            "state": reading.state_of(shown.verdict),
            "context": shown.context,
            "description": shown.description,
            "target_url": shown.url or "",
        }
        await self._client.send(what, "POST", f"{_path(ref.repository)}/statuses/{ref.hash}", body)

    def as_shown(self, status: Status) -> Status:
        return reading.as_shown(status)

    async def comment(self, change: Change, mark: str) -> Comment | None:
        what = f"the comments on {_named(change)}"
        told = await self._client.pages(what, _comments(change))
        us = await self._client.user()
        ours = [one for one in told if mark in one["body"] and one["user"]["login"] == us]
        return reading.comment_of(min(ours, key=lambda one: one["id"])) if ours else None

    async def write_comment(self, change: Change, body: str, earlier: Comment | None) -> Comment:
        what, sent = f"to comment on {_named(change)}", {"body": body}
        if earlier is None:
            return reading.comment_of(
                await self._client.send(what, "POST", _comments(change), sent)
            )
        path = f"{_path(change.repository)}/issues/comments/{earlier.id}"
        return reading.comment_of(await self._client.send(what, "PATCH", path, sent))

    async def permission(self, repository: Repository, person: str) -> Permission:
        what = f"to ask what {person} may do in {repository}"
        name = quote(person, safe="")
        told = await self._client.get_or_none(
            what, f"{_path(repository)}/collaborators/{name}/permission"
        )
        return Permission.NONE if told is None else reading.permission_of(told)

    async def clone_token(self, repository: Repository) -> Token | None:
        return Token(self._client.token)

    def verify(self, headers: Mapping[str, str], body: bytes) -> Delivery | Refused:
        return verified(headers, body, webhook_text(self._webhook_secret))

    def limited_until(self, repository: Repository) -> datetime | None:
        return self._client.limit.until

    async def aclose(self) -> None:
        await self._client.aclose()


def _path(repository: Repository) -> str:
    return f"/repos/{quote(repository.path)}"


def _comments(change: Change) -> str:
    return f"{_path(change.repository)}/issues/{change.number}/comments"


def _named(change: Change) -> str:
    return f"the pull request {change.repository}#{change.number}"
