"""GitLab as a forge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
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
from pycurrent.plugins.git import Token
from pycurrent.plugins.gitlab import reading
from pycurrent.plugins.gitlab.client import GitlabClient
from pycurrent.plugins.gitlab.deliveries import verified
from pycurrent.term import Failure


class GitlabApi:
    """One GitLab, seen with one token: see `ForgeApi`. `url` has no slash at its end.

    The projects are those of `groups`, with their subgroups, or else all of which the token's user
    is a member.
    """

    kind = "gitlab"
    at_once = 8
    refusals = ()
    buttons = None

    def __init__(
        self,
        url: str,
        *,
        token: Secret | str,
        groups: Sequence[str] = (),
        webhook_secret: Secret | str | None = None,
        clock: Clock,
    ) -> None:
        self.site = url
        self._clock = clock
        self._client = GitlabClient(self.site, token, self._clock)
        self._groups = tuple(groups)
        self._webhook_secret = webhook_secret
        # The paths of projects that merge requests come from, by id.
        self._sources: dict[int, str] = {}

    async def repositories(self) -> tuple[Repository, ...]:
        if not self._groups:
            query = {"membership": "true"}
            told = await self._client.pages("the list of projects", "/projects", query)
        else:
            told = [
                project
                for group in self._groups
                for project in await self._client.pages(
                    f"the projects of the group {group}",
                    f"/groups/{quote(group, safe='')}/projects",
                    {"include_subgroups": "true"},
                )
            ]
        found = {one["id"]: reading.repository_of(self.site, one) for one in told}
        return tuple(sorted(found.values(), key=lambda one: one.path))

    async def refs(self, repository: Repository) -> tuple[Ref, ...]:
        project, name = _project(repository), repository.path
        branches, tags, changes = await asyncio.gather(
            self._listed(f"the branches of {name}", f"{project}/repository/branches"),
            self._listed(f"the tags of {name}", f"{project}/repository/tags"),
            self._client.pages(
                f"the merge requests of {name}", f"{project}/merge_requests", {"state": "opened"}
            ),
        )
        return (
            *(reading.branch_of(repository, told) for told in branches),
            *(reading.tag_of(repository, told) for told in tags),
            *[
                reading.change_of(repository, await self._source(repository, told), told)
                for told in changes
                # One that has just been made has no commit yet.
                if told.get("sha")
            ],
        )

    async def _listed(self, what: str, path: str) -> list[Any]:
        return await self._client.pages(what, path)

    async def _source(self, repository: Repository, told: Any) -> str:
        """The path of the project that a merge request comes from; empty if it is gone, or hidden
        from us: then it counts as a fork.
        """
        source = told.get("source_project_id")
        if source is None or str(source) == repository.id:
            return "" if source is None else repository.path
        if source not in self._sources:
            try:
                project = await self._client.get(f"the project {source}", f"/projects/{source}")
            except Failure:
                return ""
            self._sources[source] = project["path_with_namespace"]
        return self._sources[source]

    async def status(self, ref: Ref, context: str) -> Status | None:
        told = await self._client.pages(
            f"the statuses of {ref.hash[:10]} in {ref.repository}",
            f"{_project(ref.repository)}/repository/commits/{ref.hash}/statuses",
            {"name": context},
        )
        ours = [one for one in told if one["name"] == context]
        return reading.status_of(max(ours, key=lambda one: one["id"])) if ours else None

    async def set_status(self, ref: Ref, status: Status) -> None:
        shown = self.as_shown(status)
        body = {
            "state": reading.state_of(shown.verdict),
            "name": shown.context,
            "description": shown.description,
            "ref": ref.ref if isinstance(ref, Change) else ref.name,
            **({} if shown.url is None else {"target_url": shown.url}),
        }
        what = f"to set the status {shown.context!r} of {ref.hash[:10]} in {ref.repository}"
        path = f"{_project(ref.repository)}/statuses/{ref.hash}"
        try:
            await self._client.post(what, path, body)
        except Failure as failure:
            # From running to pending, say: it has more than we say already.
            if "Cannot transition status" not in str(failure):
                raise

    def as_shown(self, status: Status) -> Status:
        return reading.as_shown(status)

    async def comment(self, change: Change, mark: str) -> Comment | None:
        notes = await self._client.pages(f"the notes on {_named(change)}", f"{_notes(change)}")
        us = await self._client.user()
        ours = [one for one in notes if mark in one["body"] and one["author"]["username"] == us]
        return reading.comment_of(change, min(ours, key=lambda one: one["id"])) if ours else None

    async def write_comment(self, change: Change, body: str, earlier: Comment | None) -> Comment:
        what, sent = f"to write a note on {_named(change)}", {"body": body}
        if earlier is None:
            told = await self._client.post(what, _notes(change), sent)
        else:
            told = await self._client.put(what, f"{_notes(change)}/{earlier.id}", sent)
        return reading.comment_of(change, told)

    async def permission(self, repository: Repository, person: str) -> Permission:
        users = await self._client.pages(f"the user {person}", "/users", {"username": person})
        found = [user for user in users if user["username"].casefold() == person.casefold()]
        if not found:
            return Permission.NONE
        members = await self._client.pages(
            f"the members of {repository}",
            f"{_project(repository)}/members/all",
            {"user_ids[]": found[0]["id"]},
        )
        return max(
            (reading.permission_of(one) for one in members if one["id"] == found[0]["id"]),
            default=Permission.NONE,
        )

    async def clone_token(self, repository: Repository) -> Token | None:
        return Token(self._client.token, username="oauth2")

    def verify(self, headers: Mapping[str, str], body: bytes) -> Delivery | Refused:
        return verified(headers, body, webhook_text(self._webhook_secret), self._clock.now())

    def limited_until(self, repository: Repository) -> datetime | None:
        return self._client.limit.until

    async def aclose(self) -> None:
        await self._client.aclose()


def _project(repository: Repository) -> str:
    return f"/projects/{quote(repository.id, safe='')}"


def _notes(change: Change) -> str:
    return f"{_project(change.repository)}/merge_requests/{change.number}/notes"


def _named(change: Change) -> str:
    return f"the merge request {change.repository}!{change.number}"
