"""The check runs of the fake GitHub, strict about what may be sent, as its API is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ..forge.model import FakeForge, FakeRepository

_OF_RUN = {
    *("name", "head_sha", "details_url", "external_id", "status", "started_at", "conclusion"),
    *("completed_at", "output", "actions"),
}
_CONCLUSIONS = {
    *("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"),
}
_LEVELS = ("notice", "warning", "failure")
_LONGEST = 65_535
_BATCH = 50
_MOST_ACTIONS = 3
_OF_ACTION = {"label": 20, "description": 40, "identifier": 20}
_APP = 1234


@dataclass
class FakeCheckRun:
    """A check run of our App."""

    id: int
    name: str
    head_sha: str
    external_id: str = ""
    status: str = "queued"
    conclusion: str | None = None
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """What it amounts to: its conclusion, once it is completed."""
        return self.conclusion or self.status


class CheckRuns:
    """The check runs of one fake GitHub, by commit, the oldest first."""

    def __init__(
        self,
        forge: FakeForge,
        found: Callable[[web.Request], FakeRepository],
        page: Callable[[web.Request, list[Any], str], web.Response],
    ) -> None:
        self._forge = forge
        self._found = found
        self._page = page
        self.runs: dict[str, list[FakeCheckRun]] = {}

    def said(self, hash: str) -> list[tuple[str, str]]:
        """The runs of a commit, with their names, the oldest first."""
        return [(run.name, run.state) for run in self.runs.get(hash, [])]

    def add_routes(self, router: web.UrlDispatcher) -> None:
        at = "/api/v3/repos/{owner}/{repo}"
        router.add_get(f"{at}/commits/{{sha}}/check-runs", self._of_commit)
        router.add_post(f"{at}/check-runs", self._make)
        router.add_get(f"{at}/check-runs/{{id}}", self._get)
        router.add_get(f"{at}/check-runs/{{id}}/annotations", self._annotations)
        router.add_patch(f"{at}/check-runs/{{id}}", self._change)

    async def _of_commit(self, request: web.Request) -> web.Response:
        self._found(request)
        assert request.query["app_id"] == str(_APP)
        assert request.query["filter"] == "all"
        name = request.query.get("check_name")
        runs = self.runs.get(request.match_info["sha"], [])
        found = [_told(run) for run in reversed(runs) if name in (None, run.name)]
        return self._page(request, found, "check_runs")

    async def _make(self, request: web.Request) -> web.Response:
        repository, body = self._found(request), await request.json()
        if not {"name", "head_sha"} <= body.keys() or not body["name"]:
            return self._wrong("name and head_sha are required")
        if body["head_sha"] not in repository.knows:
            return self._wrong(f"No commit found for SHA: {body['head_sha']}")
        run = FakeCheckRun(self._forge.next_id(), body["name"], body["head_sha"])
        if (wrong := _taken(run, body)) is not None:
            return self._wrong(wrong)
        self.runs.setdefault(run.head_sha, []).append(run)
        return web.json_response(_told(run), status=201)

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(_told(self._run(request)))

    async def _annotations(self, request: web.Request) -> web.Response:
        found = [{**one, "blob_href": ""} for one in self._run(request).annotations]
        return self._page(request, found, "")

    async def _change(self, request: web.Request) -> web.Response:
        run, body = self._run(request), await request.json()
        wrong = "head_sha can't be changed" if "head_sha" in body else _taken(run, body)
        return web.json_response(_told(run)) if wrong is None else self._wrong(wrong)

    def _run(self, request: web.Request) -> FakeCheckRun:
        self._found(request)
        wanted = int(request.match_info["id"])
        for run in (run for runs in self.runs.values() for run in runs):
            if run.id == wanted:
                return run
        raise web.HTTPNotFound

    def _wrong(self, why: str) -> web.Response:
        return self._forge.refusal(422, f"Invalid request. {why}")


def _taken(run: FakeCheckRun, body: dict[str, Any]) -> str | None:
    """Set what is sent; or say what is wrong with it, and set nothing."""
    output, actions = body.get("output"), body.get("actions")
    wrong = (
        _wrong_state(body)
        or (_wrong_output(output) if output is not None else None)
        or _wrong_actions(actions or [])
    )
    if wrong is not None:
        return wrong
    if "status" in body:
        run.status, run.conclusion = body["status"], body.get("conclusion")
    run.external_id = body.get("external_id", run.external_id)
    run.details_url = body.get("details_url", run.details_url)
    run.actions = run.actions if actions is None else actions
    if output is not None:
        run.title, run.summary, run.text = output["title"], output["summary"], output.get("text")
        run.annotations += output.get("annotations", [])
    return None


def _wrong_state(body: dict[str, Any]) -> str | None:
    conclusion = body.get("conclusion")
    if unknown := body.keys() - _OF_RUN:
        return f"{sorted(unknown)} are not permitted keys"
    if conclusion is not None and conclusion not in _CONCLUSIONS:
        return f"{conclusion} is not a conclusion"
    if (body.get("status") == "completed") != (conclusion is not None):
        return "completed needs a conclusion, and nothing else has one"
    if body.get("status", "queued") not in ("queued", "in_progress", "completed"):
        return "unknown status"
    return None


def _wrong_output(output: dict[str, Any]) -> str | None:
    if not output.get("title") or not output.get("summary"):
        return "title and summary are required"
    if any(len(output.get(name) or "") > _LONGEST for name in ("summary", "text")):
        return f"at most {_LONGEST} characters"
    annotations = output.get("annotations", [])
    if len(annotations) > _BATCH:
        return f"at most {_BATCH} annotations"
    return next(filter(None, map(_wrong_annotation, annotations)), None)


def _wrong_annotation(one: dict[str, Any]) -> str | None:
    if one["annotation_level"] not in _LEVELS or not one["message"]:
        return "annotation_level and message are required"
    if not 0 < one["start_line"] <= one["end_line"]:
        return "lines are from 1"
    if "start_column" in one and one["start_line"] != one["end_line"]:
        return "columns are for one line"
    if one["path"].startswith(("/", "../")):
        return "paths are those of the repository"
    return None


def _wrong_actions(actions: list[dict[str, str]]) -> str | None:
    if len(actions) > _MOST_ACTIONS:
        return f"at most {_MOST_ACTIONS} actions"
    for action in actions:
        for name, longest in _OF_ACTION.items():
            if not 0 < len(action[name]) <= longest:
                return f"{name} has 1 to {longest} characters"
    return None


def _told(run: FakeCheckRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "status": run.status,
        "conclusion": run.conclusion,
        "details_url": run.details_url,
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
        },
        "app": {"id": _APP},
    }
