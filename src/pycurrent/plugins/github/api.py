"""GitHub as a forge."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from pycurrent.engine import Clock, Secret
from pycurrent.plugins.forge.checks import webhook_text
from pycurrent.plugins.forge.links import ForgeLink
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
from pycurrent.plugins.github import reading
from pycurrent.plugins.github.buttons import CheckButtons
from pycurrent.plugins.github.check_api import CheckApi
from pycurrent.plugins.github.client import APP, GithubClient
from pycurrent.plugins.github.deliveries import verified
from pycurrent.plugins.github.deployment_api import DeploymentApi
from pycurrent.plugins.github.heads import Heads
from pycurrent.plugins.github.identity import Identity
from pycurrent.term import Failure, FailureKind

_log = logging.getLogger(__name__)

_OURS = "owner,collaborator,organization_member"

_MANY = 1_000_000
"""Repositories that share queries: as many as there are."""
_FEW = 8
"""Repositories with requests of their own."""


class GithubApi:
    """One GitHub, seen as an App or with a token: see `ForgeApi`. `url` has no slash at its end.

    The repositories are those of all installations of the App that aren't suspended, or those that
    the token's user owns or has a part in.
    """

    kind = "github"

    def __init__(
        self, url: str, identity: Identity, webhook_secret: Secret | str | None, clock: Clock
    ) -> None:
        self.site = url
        self._client = GithubClient(url, identity, clock)
        self.deployments = DeploymentApi(self._client)
        self._heads = Heads(self._client)
        self.checks = CheckApi(self._client)
        self.buttons = CheckButtons(self.checks) if self._client.is_app else None
        self._webhook_secret = webhook_secret
        self._us: str | None = None
        self._of_installation: dict[str, list[Repository]] = {}
        self._refusals: dict[str, str] = {}
        """By the installation that refuses."""

    async def repositories(self) -> tuple[Repository, ...]:
        if self._client.is_app:
            installations = await self._client.pages(
                APP, "the installations of the App", "/app/installations", _installation_of
            )
            served = [id for id, is_suspended in installations if not is_suspended]
            listed = [repository for id in served for repository in await self._installed(id)]
            self._refusals = {id: why for id, why in self._refusals.items() if id in served}
        else:
            listed = await self._client.pages(
                "",
                "the list of repositories",
                "/user/repos",
                partial(reading.repository_of, self.site, ""),
                query={"affiliation": _OURS},
                again=self.site,
            )
        found = {repository.id: repository for repository in listed}
        return tuple(sorted(found.values(), key=lambda one: one.path))

    async def _installed(self, id: str) -> list[Repository]:
        """The repositories of an installation. If it alone refuses, they are as they were last, so
        that the others go on.
        """
        try:
            self._of_installation[id] = await self._client.pages(
                id,
                f"the repositories of the installation {id}",
                "/installation/repositories",
                partial(reading.repository_of, self.site, id),
                within="repositories",
                again=self.site,
            )
        except Failure as failure:
            if failure.kind is FailureKind.INFRA:
                raise
            _log.warning("%s", failure)
            self._refusals[id] = str(failure)
        else:
            self._refusals.pop(id, None)
        return self._of_installation.get(id, [])

    @property
    def refusals(self) -> tuple[str, ...]:
        return tuple(self._refusals.values())

    @property
    def at_once(self) -> int:
        return _MANY if self._client.is_app else _FEW

    async def refs(self, repository: Repository) -> tuple[Ref, ...]:
        # With a token an unchanged repository costs nothing by REST; an App's ETags last an hour.
        if self._client.is_app:
            return await self._heads.refs(repository)
        at = _path(repository)
        pages = partial(self._client.pages, repository.account, again=repository)
        branches, tags, changes = await asyncio.gather(
            pages(
                f"the branches of {repository}",
                f"{at}/branches",
                partial(reading.branch_of, repository),
            ),
            pages(f"the tags of {repository}", f"{at}/tags", partial(reading.tag_of, repository)),
            pages(
                f"the pull requests of {repository}",
                f"{at}/pulls",
                partial(reading.change_of, repository),
                query={"state": "open"},
            ),
        )
        # The list moves while it is read: a pull request may be on two pages.
        return (*branches, *tags, *{change.number: change for change in changes}.values())

    async def status(self, ref: Ref, context: str) -> Status | None:
        what = f"the statuses of {ref.hash[:10]} in {ref.repository}"
        path = f"{_path(ref.repository)}/commits/{ref.hash}/statuses"
        newest_first = await self._client.pages(
            ref.repository.account, what, path, reading.status_of
        )
        return next((one for one in newest_first if one.context == context), None)

    async def set_status(self, ref: Ref, status: Status) -> None:
        shown = self.as_shown(status)
        what = f"to set the status {shown.context!r} of {ref.hash[:10]} in {ref.repository}"
        body = {
            "state": reading.state_of(shown.verdict),
            "context": shown.context,
            "description": shown.description,
            "target_url": shown.url or "",
        }
        path = f"{_path(ref.repository)}/statuses/{ref.hash}"
        await self._client.send(ref.repository.account, what, "POST", path, body)

    def as_shown(self, status: Status) -> Status:
        return reading.as_shown(status)

    async def comment(self, change: Change, mark: str) -> Comment | None:
        what, account = f"the comments on {_named(change)}", change.repository.account
        told = await self._client.pages(account, what, _comments(change), reading.comment_of)
        us = await self._user()
        # In the order in which they were written.
        return next((one for one in told if mark in one.body and one.author == us), None)

    async def write_comment(self, change: Change, body: str, earlier: Comment | None) -> Comment:
        what, sent = f"to comment on {_named(change)}", {"body": body}
        method, path = "POST", _comments(change)
        if earlier is not None:
            method = "PATCH"
            path = f"{_path(change.repository)}/issues/comments/{earlier.id}"
        told = await self._client.send(change.repository.account, what, method, path, sent)
        return reading.comment_of(told)

    async def _user(self) -> str:
        """The name under which we write comments, asked for once."""
        if self._us is None:
            if self._client.is_app:
                told = await self._client.get(APP, "the App", "/app")
                self._us = f"{told['slug']}[bot]"
            else:
                told = await self._client.get("", "the user of the token", "/user")
                self._us = str(told["login"])
        return self._us

    async def permission(self, repository: Repository, person: str) -> Permission:
        what = f"to ask what {person} may do in {repository}"
        path = f"{_path(repository)}/collaborators/{quote(person, safe='')}/permission"
        told = await self._client.get_or_none(repository.account, what, path)
        return Permission.NONE if told is None else reading.permission_of(told)

    async def clone_token(self, repository: Repository) -> Token | None:
        return Token(partial(self._client.token, repository.account))

    def verify(self, headers: Mapping[str, str], body: bytes) -> Delivery | Refused:
        return verified(headers, body, webhook_text(self._webhook_secret))

    def limited_until(self, repository: Repository) -> datetime | None:
        return self._client.limited_until(repository.account)

    async def aclose(self) -> None:
        await self._heads.aclose()
        await self._client.aclose()


def api_at(link: ForgeLink, site: str) -> GithubApi:
    """The GitHub at an address, which may be another one than the link's. Raises `Failure` if the
    pipeline has none there.
    """
    api = link.api_at(site)
    if not isinstance(api, GithubApi):
        raise Failure(f"{site} is not a GitHub any more: what was shown there stays as it is")
    return api


def _installation_of(told: Any) -> tuple[str, bool]:
    return str(told["id"]), told.get("suspended_at") is not None


def _path(repository: Repository) -> str:
    return f"/repos/{quote(repository.path)}"


def _comments(change: Change) -> str:
    return f"{_path(change.repository)}/issues/{change.number}/comments"


def _named(change: Change) -> str:
    return f"the pull request {change.repository}#{change.number}"
