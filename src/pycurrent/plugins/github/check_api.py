"""GitHub's check runs, which only an App may make.

See docs.github.com/rest/checks/runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

from pycurrent.plugins.forge.values import Repository
from pycurrent.plugins.github.client import APP, GithubClient

Body = Mapping[str, Any]
Remark: TypeAlias = tuple[str, int, str]
"""An annotation as far as it is told from others: its file, line and message."""


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check run of ours."""

    id: int
    name: str
    external_id: str
    """The path of the stage that shows it."""
    commit: str
    is_completed: bool
    annotations: int
    """How many it has."""
    shows: tuple[object, ...]
    """Status, conclusion, title, summary, text and address, to be compared."""

    @classmethod
    def of(cls, told: Any) -> CheckRun:
        """Read one from an answer."""
        output = told.get("output") or {}
        return cls(
            id=int(told["id"]),
            name=told["name"],
            external_id=told.get("external_id") or "",
            commit=told["head_sha"],
            is_completed=told["status"] == "completed",
            annotations=int(output.get("annotations_count") or 0),
            shows=shown_by(told),
        )


def shown_by(body: Body) -> tuple[object, ...]:
    """The parts of a check run, or of a request for one, by which they are compared."""
    output = body.get("output") or {}
    texts = [(output.get(name) or "").strip() for name in ("title", "summary", "text")]
    return body.get("status"), body.get("conclusion"), body.get("details_url"), *texts


def remark_of(body: Body) -> Remark:
    """An annotation of an answer, or of a request, by which they are compared."""
    message = str(body.get("message")).strip()
    return str(body.get("path")), int(body.get("start_line") or 0), message


class CheckApi:
    """The calls about check runs. They raise `Failure` as those of a `ForgeApi`."""

    def __init__(self, client: GithubClient) -> None:
        self._client = client
        self._app: int | None = None

    async def app(self) -> int:
        """The number of our App, asked for once."""
        if self._app is None:
            self._app = int((await self._client.get(APP, "the App", "/app"))["id"])
        return self._app

    async def newest(
        self, home: Repository, commit: str, name: str, external_id: str
    ) -> CheckRun | None:
        """Our newest run of a commit with this name and this external id."""
        found = await self._client.pages(
            home.account,
            f"the checks of {commit[:10]} in {home}",
            f"{_path(home)}/commits/{commit}/check-runs",
            CheckRun.of,
            query={"check_name": name, "filter": "all", "app_id": await self.app()},
            within="check_runs",
        )
        ours = [run for run in found if run.external_id == external_id]
        return max(ours, key=lambda run: run.id, default=None)

    async def pending(self, home: Repository, commit: str) -> list[CheckRun]:
        """Our runs of a commit that are not completed."""
        found = await self._client.pages(
            home.account,
            f"the checks of {commit[:10]} in {home}",
            f"{_path(home)}/commits/{commit}/check-runs",
            CheckRun.of,
            query={"filter": "all", "app_id": await self.app()},
            within="check_runs",
        )
        return [run for run in found if not run.is_completed]

    async def run(self, home: Repository, id: int) -> CheckRun | None:
        """A run by its id; None if it is not there."""
        what = f"the check {id} in {home}"
        path = f"{_path(home)}/check-runs/{id}"
        told = await self._client.get_or_none(home.account, what, path)
        return None if told is None else CheckRun.of(told)

    async def annotations(self, home: Repository, run: CheckRun) -> set[Remark]:
        """The annotations that a run has. They are asked for only if there are any."""
        if not run.annotations:
            return set()
        what = f"the annotations of the check {run.name!r} in {home}"
        path = f"{_path(home)}/check-runs/{run.id}/annotations"
        return set(await self._client.pages(home.account, what, path, remark_of))

    async def make(self, home: Repository, body: Body) -> CheckRun:
        """Make a run."""
        what = f"to make the check {body['name']!r} of {body['head_sha'][:10]} in {home}"
        path = f"{_path(home)}/check-runs"
        return CheckRun.of(await self._client.send(home.account, what, "POST", path, body))

    async def change(self, home: Repository, run: CheckRun, body: Body) -> CheckRun:
        """Change a run. Its annotations are added to those that it has."""
        what = f"to change the check {run.name!r} of {run.commit[:10]} in {home}"
        path = f"{_path(home)}/check-runs/{run.id}"
        return CheckRun.of(await self._client.send(home.account, what, "PATCH", path, body))


def _path(repository: Repository) -> str:
    return f"/repos/{quote(repository.path)}"
