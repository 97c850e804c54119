"""Requests for deployments and their statuses: docs.github.com/rest/deployments."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from pycurrent.plugins.github.client import GithubClient
from pycurrent.plugins.github.diagnosis import Advice

State: TypeAlias = Literal[
    "queued", "in_progress", "success", "failure", "error", "inactive", "pending"
]
"""The states of a deployment, in GitHub's words."""

DESCRIPTION = 140
"""The characters that the description of a status has at most."""

_MARK = MappingProxyType({"made_by": "pycurrent"})
"""The payload by which our deployments are found again."""

_ADVICE: Advice = MappingProxyType(
    {
        HTTPStatus.FORBIDDEN: (
            "the App, or the token, needs the permission Deployments: read and write; and the"
            " rules of the environment (Settings, Environments) have to let it deploy this ref"
        ),
        HTTPStatus.NOT_FOUND: (
            "is it gone, is the App no longer installed there, or does it lack the permission"
            " Deployments: read and write?"
        ),
        HTTPStatus.CONFLICT: (
            "something on GitHub is in the way of a deployment of this commit: see to that, and"
            " rebuild this stage"
        ),
        HTTPStatus.UNPROCESSABLE_ENTITY: (
            "is the commit still there (a forced push may have removed it), and do the rules of"
            " the environment (Settings, Environments) let it be deployed?"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """A repository, and the account by which we are let in."""

    account: str
    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of a commit."""

    id: int
    commit: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """The state of a deployment, as it is shown."""

    state: State
    description: str = ""
    url: str | None = None
    """Where to see what was deployed."""
    log_url: str | None = None


class DeploymentApi:
    """Deployments on one GitHub. Its calls raise `Failure`, as those of `ForgeApi`."""

    def __init__(self, client: GithubClient) -> None:
        self.site = client.site
        self._client = client

    def ours(self, place: Place, environment: str) -> AsyncIterator[Deployment]:
        """Our deployments to an environment, the newest first, read as far as they are needed."""
        found = self._client.each(
            place.account,
            f"the deployments of {place} to {environment}",
            _path(place),
            _deployment_of,
            query={"environment": environment},
            advice=_ADVICE,
        )
        return (one async for one in found if one.is_ours)

    async def statuses(self, place: Place, deployment: Deployment) -> list[DeploymentStatus]:
        """The states that a deployment has had, the newest first."""
        what = f"the states of the deployment {deployment.id} of {place}"
        path = f"{_path(place)}/{deployment.id}/statuses"
        return await self._client.pages(place.account, what, path, _status_of)

    async def make(
        self, place: Place, environment: str, commit: str, *, is_production: bool | None
    ) -> Deployment:
        """Make a deployment of a commit as it is: nothing is merged into it, and GitHub asks for no
        checks. The caller has looked whether there is one already.
        """
        body: dict[str, object] = {
            "ref": commit,
            "environment": environment,
            "auto_merge": False,
            "required_contexts": [],
            "payload": dict(_MARK),
            "description": "by pycurrent",
        }
        if is_production is not None:
            body["production_environment"] = is_production
        what = f"to deploy {commit[:10]} of {place} to {environment}"
        return _deployment_of(await self._send(place, what, _path(place), body))

    async def say(self, place: Place, deployment: Deployment, status: DeploymentStatus) -> None:
        """Say how a deployment stands. Others stay as they are."""
        body: dict[str, object] = {
            "state": status.state,
            "description": status.description,
            "auto_inactive": False,
        }
        if status.url is not None:
            body["environment_url"] = status.url
        if status.log_url is not None:
            body["log_url"] = status.log_url
        what = f"to set the state of the deployment {deployment.id} of {place}"
        await self._send(place, what, f"{_path(place)}/{deployment.id}/statuses", body)

    async def _send(self, place: Place, what: str, path: str, body: Mapping[str, object]) -> Any:
        return await self._client.send(place.account, what, "POST", path, body, advice=_ADVICE)


def _path(place: Place) -> str:
    return f"/repos/{quote(place.path)}/deployments"


def _deployment_of(told: Any) -> Deployment:
    return Deployment(told["id"], told["sha"], _read_payload(told.get("payload")) == _MARK)


def _read_payload(payload: object) -> object:
    """Older servers give the text of an object."""
    if not isinstance(payload, str):
        return payload
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _status_of(told: Any) -> DeploymentStatus:
    return DeploymentStatus(
        told["state"],
        told.get("description") or "",
        told.get("environment_url") or None,
        told.get("log_url") or None,
    )
