"""The deployments of the fake GitHub, strict about what may be sent, as its API is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ..forge.model import FakeForge, FakeRepository

_STATES = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
_OF_DEPLOYMENT = {
    *("ref", "task", "auto_merge", "required_contexts", "payload", "environment", "description"),
    *("transient_environment", "production_environment"),
}
_OF_STATUS = {
    *("state", "target_url", "log_url", "description", "environment", "environment_url"),
    "auto_inactive",
}
_LONGEST = 140


@dataclass
class FakeDeployment:
    """A deployment, and the statuses that it has had, the oldest first."""

    id: int
    sha: str
    ref: str
    environment: str
    task: str
    payload: Any
    description: str
    is_production: bool
    statuses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> str | None:
        """The newest state; None if nothing was said yet."""
        return self.statuses[-1]["state"] if self.statuses else None


class FakeDeployments:
    """Those of all repositories of a forge."""

    def __init__(
        self,
        forge: FakeForge,
        found: Callable[[web.Request], FakeRepository],
        page: Callable[[web.Request, list[Any]], web.Response],
    ) -> None:
        self._forge, self._found, self._page = forge, found, page
        self.are_allowed = True
        """False if the token lacks the permission."""
        self.protected: set[str] = set()
        """Environments whose rules let nobody deploy."""
        self.made: dict[str, list[FakeDeployment]] = {}
        """By the path of the repository, the oldest first."""

    def add_routes(self, router: web.UrlDispatcher, at: str) -> None:
        router.add_get(f"{at}/deployments", self._list)
        router.add_post(f"{at}/deployments", self._make)
        router.add_get(f"{at}/deployments/{{id}}/statuses", self._statuses)
        router.add_post(f"{at}/deployments/{{id}}/statuses", self._add_status)

    def of(self, path: str) -> list[tuple[str, str | None]]:
        """The commits and states of the deployments of a repository, the oldest first."""
        return [(one.sha, one.state) for one in self.made.get(path, [])]

    def add(self, path: str, sha: str, environment: str = "production") -> FakeDeployment:
        """One that somebody else has made."""
        id = self._forge.next_id()
        made = FakeDeployment(id, sha, "main", environment, "deploy", {}, "", is_production=True)
        self.made.setdefault(path, []).append(made)
        return made

    def _refused(self) -> web.Response | None:
        if self.are_allowed:
            return None
        return self._forge.refusal(403, "Resource not accessible by integration")

    def _one(self, request: web.Request) -> FakeDeployment:
        wanted = int(request.match_info["id"])
        for one in self.made.get(self._found(request).path, []):
            if one.id == wanted:
                return one
        raise web.HTTPNotFound(text='{"message": "Not Found"}', content_type="application/json")

    async def _list(self, request: web.Request) -> web.StreamResponse:
        assert set(request.query) <= {"sha", "ref", "task", "environment", "per_page", "page"}
        given = request.query
        found = [
            _told(one)
            for one in reversed(self.made.get(self._found(request).path, []))
            if all(given.get(name, value) == value for name, value in _filters(one))
        ]
        return self._refused() or self._page(request, found)

    async def _make(self, request: web.Request) -> web.StreamResponse:
        repository, body = self._found(request), await request.json()
        if (refused := self._refused()) is not None:
            return refused
        ref, environment = body.get("ref"), body.get("environment", "production")
        sha = {**repository.tags, **repository.branches}.get(ref, ref)
        problem = self._problem(repository, body, sha, environment)
        if problem is not None:
            return self._forge.refusal(*problem)
        made = FakeDeployment(
            self._forge.next_id(),
            sha,
            ref,
            environment,
            body.get("task", "deploy"),
            body.get("payload", {}),
            body.get("description") or "",
            body.get("production_environment", environment == "production"),
        )
        self.made.setdefault(repository.path, []).append(made)
        return web.json_response(_told(made), status=201)

    def _problem(
        self, repository: FakeRepository, body: dict[str, Any], sha: str, environment: str
    ) -> tuple[int, str] | None:
        if not set(body) <= _OF_DEPLOYMENT or len(body.get("description") or "") > _LONGEST:
            return 422, "Validation Failed"
        if sha not in repository.knows:
            return 422, f"No ref found for: {body.get('ref')}"
        if environment in self.protected:
            return 403, f"{environment} is protected by environment protection rules."
        if body.get("auto_merge", True) and sha != repository.branches.get("main"):
            return 409, f"Conflict merging main into {body['ref']}."
        newest = {status.context: status.state for status in repository.statuses.get(sha, [])}
        required = body.get("required_contexts")
        contexts = newest if required is None else required
        if any(newest.get(context) != "success" for context in contexts):
            return 409, f"Conflict: Commit status checks failed for {body['ref']}."
        return None

    async def _statuses(self, request: web.Request) -> web.StreamResponse:
        found = list(reversed(self._one(request).statuses))
        return self._refused() or self._page(request, found)

    async def _add_status(self, request: web.Request) -> web.StreamResponse:
        one, body = self._one(request), await request.json()
        if (refused := self._refused()) is not None:
            return refused
        urls = [body.get(name) or "" for name in ("target_url", "log_url", "environment_url")]
        is_right = set(body) <= _OF_STATUS and body.get("state") in _STATES
        is_short = len(body.get("description") or "") <= _LONGEST
        if not is_right or not is_short or not all(_is_url(url) for url in urls):
            return self._forge.refusal(422, "Validation Failed")
        if body["state"] == "success" and body.get("auto_inactive", True):
            self._end_earlier(self.made[self._found(request).path], one)
        said = {
            "id": self._forge.next_id(),
            "state": body["state"],
            "description": body.get("description") or "",
            "environment": body.get("environment", one.environment),
            "environment_url": body.get("environment_url") or "",
            "log_url": body.get("log_url") or body.get("target_url") or "",
        }
        one.environment = said["environment"]
        one.statuses.append(said)
        return web.json_response(said, status=201)

    def _end_earlier(self, made: list[FakeDeployment], one: FakeDeployment) -> None:
        for other in made[: made.index(one)]:
            is_alike = other.environment == one.environment and not other.is_production
            if is_alike and other.state == "success":
                other.statuses.append({**other.statuses[-1], "state": "inactive"})


def _filters(one: FakeDeployment) -> list[tuple[str, str]]:
    return [
        *(("sha", one.sha), ("ref", one.ref)),
        *(("task", one.task), ("environment", one.environment)),
    ]


def _told(one: FakeDeployment) -> dict[str, Any]:
    return {
        "id": one.id,
        "sha": one.sha,
        "ref": one.ref,
        "task": one.task,
        "payload": one.payload,
        "environment": one.environment,
        "description": one.description,
        "production_environment": one.is_production,
        "transient_environment": False,
    }


def _is_url(url: str) -> bool:
    return not url or url.startswith(("https://", "http://"))
