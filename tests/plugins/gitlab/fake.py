"""A server that behaves as GitLab's API does, as far as we use it, and is strict about that."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from pycurrent.plugins.forge.values import Permission

from ..forge.model import (
    OURS,
    FakeChange,
    FakeComment,
    FakeForge,
    FakeRepository,
    FakeStatus,
    moved,
)

_LEVELS = {
    Permission.READ: 10,
    Permission.TRIAGE: 20,
    Permission.WRITE: 30,
    Permission.ADMIN: 40,
}
_OPEN = ("pending", "running")
_STATES = (*_OPEN, "success", "failed", "canceled", "skipped")


class FakeGitlab(FakeForge):
    """One GitLab."""

    def add_routes(self, router: web.UrlDispatcher) -> None:
        project = "/api/v4/projects/{project}"
        router.add_get("/api/v4/projects", self._projects)
        router.add_get("/api/v4/groups/{group}/projects", self._projects_of_group)
        router.add_get(project, self._project)
        router.add_get(f"{project}/repository/branches", self._branches)
        router.add_get(f"{project}/repository/tags", self._tags)
        router.add_get(f"{project}/merge_requests", self._merge_requests)
        router.add_get(f"{project}/repository/commits/{{sha}}/statuses", self._statuses)
        router.add_post(f"{project}/statuses/{{sha}}", self._set_status)
        router.add_get(f"{project}/merge_requests/{{iid}}/notes", self._notes)
        router.add_post(f"{project}/merge_requests/{{iid}}/notes", self._add_note)
        router.add_put(f"{project}/merge_requests/{{iid}}/notes/{{note}}", self._edit_note)
        router.add_get("/api/v4/user", self._user)
        router.add_get("/api/v4/users", self._users)
        router.add_get(f"{project}/members/all", self._members)

    def is_let_in(self, request: web.Request) -> bool:
        return request.headers.get("PRIVATE-TOKEN") == self.token

    def deliver(self, event: str, path: str, **more: Any) -> tuple[dict[str, str], bytes]:
        kinds = {"push": "Push Hook", "comment": "Note Hook"}
        told: dict[str, Any] = {"project": {"path_with_namespace": path}}
        if event == "push":
            told |= {"object_kind": "push", "user_username": more.get("author", "ann")}
        else:
            told |= {
                "object_kind": "note",
                "user": {"username": more["author"]},
                "object_attributes": {"id": self.next_id(), "note": more["text"]},
                "merge_request": {"iid": more["number"]},
            }
        told |= moved(more)
        headers = {
            "content-type": "application/json",
            "x-gitlab-event": kinds[event],
            "x-gitlab-token": self.secret,
            "idempotency-key": more.get("id", f"delivery-{self.next_id()}"),
        }
        return headers, json.dumps(told).encode()

    # Answers

    def _found(self, request: web.Request) -> FakeRepository:
        wanted = unquote(request.match_info["project"])
        for repository in self.repositories.values():
            if wanted in (str(repository.id), repository.path):
                if repository.is_private and not repository.is_ours:
                    break
                return repository
        raise _gone("Project")

    def _change(self, request: web.Request) -> FakeChange:
        change = self._found(request).changes.get(int(request.match_info["iid"]))
        if change is None:
            raise _gone("Merge Request")
        return change

    def _page(self, request: web.Request, items: list[Any]) -> web.Response:
        size = min(int(request.query.get("per_page", "20")), self.page_size)
        page = int(request.query.get("page", "1"))
        headers = {"X-Page": str(page), "X-Per-Page": str(size)}
        if page * size < len(items):
            link = request.url.update_query(page=str(page + 1))
            headers |= {"Link": f'<{link}>; rel="next"', "X-Next-Page": str(page + 1)}
        return web.json_response(items[(page - 1) * size : page * size], headers=headers)

    async def _projects(self, request: web.Request) -> web.Response:
        assert request.query.get("membership") == "true"
        found = [one for one in self.repositories.values() if one.is_ours]
        return self._page(request, [self._told(one) for one in found])

    async def _projects_of_group(self, request: web.Request) -> web.Response:
        group = unquote(request.match_info["group"])
        assert request.query.get("include_subgroups") == "true"
        found = [one for one in self.repositories.values() if one.path.startswith(f"{group}/")]
        if not found:
            raise _gone("Group")
        return self._page(request, [self._told(one) for one in found])

    async def _project(self, request: web.Request) -> web.Response:
        return web.json_response(self._told(self._found(request)))

    def _told(self, repository: FakeRepository) -> dict[str, Any]:
        address = f"{self.url}/{repository.path}"
        return {
            "id": repository.id,
            "path_with_namespace": repository.path,
            "http_url_to_repo": repository.clone_url or f"{address}.git",
            "web_url": address,
            "default_branch": "main" if repository.branches else None,
            "visibility": "private" if repository.is_private else "public",
            "archived": repository.is_archived,
        }

    async def _branches(self, request: web.Request) -> web.Response:
        return self._page(request, _refs(self._found(request).branches))

    async def _tags(self, request: web.Request) -> web.Response:
        return self._page(request, _refs(self._found(request).tags))

    async def _merge_requests(self, request: web.Request) -> web.Response:
        assert request.query.get("state") == "opened"
        repository = self._found(request)
        return self._page(
            request, [self._told_change(repository, one) for one in repository.changes.values()]
        )

    def _told_change(self, repository: FakeRepository, change: FakeChange) -> dict[str, Any]:
        source = self.repositories.get(change.source) if change.source is not None else None
        return {
            "iid": change.number,
            "sha": change.hash,
            "title": change.title,
            "author": {"username": change.author},
            "target_branch": change.base,
            "source_branch": change.branch,
            "source_project_id": None if source is None else source.id,
            "draft": change.is_draft,
            "labels": list(change.labels),
            "web_url": f"{self.url}/{repository.path}/-/merge_requests/{change.number}",
        }

    async def _statuses(self, request: web.Request) -> web.Response:
        found = self._found(request).statuses.get(request.match_info["sha"], [])
        # Only the latest of each name, as `all` is not set.
        latest = {status.context: status for status in found}
        wanted = request.query.get("name")
        return self._page(
            request, [_told_status(one) for name, one in latest.items() if wanted in (None, name)]
        )

    async def _set_status(self, request: web.Request) -> web.Response:
        repository, hash = self._found(request), request.match_info["sha"]
        body = await request.json()
        if hash not in repository.knows:
            raise _gone("Commit")
        if body["state"] not in _STATES or len(body.get("description", "")) > 255:
            return self.refusal(400, "state does not have a valid value")
        refs = {*repository.branches, *repository.tags}
        refs |= {f"refs/merge-requests/{number}/head" for number in repository.changes}
        # GitLab finds the pipeline that an earlier status of the commit has made, too.
        if body["ref"] not in refs and hash not in repository.statuses:
            raise _gone("References for commit")
        return self._changed(repository.statuses.setdefault(hash, []), body)

    def _changed(self, statuses: list[FakeStatus], body: Any) -> web.Response:
        """GitLab changes a status that is not final, and makes a new one otherwise."""
        state = body["state"]
        still = next(
            (one for one in statuses if one.context == body["name"] and one.state in _OPEN), None
        )
        if still is not None and (still.state == state or state == "pending"):
            event = "enqueue" if state == "pending" else "run"
            return self.refusal(
                400, f"Cannot transition status via :{event} from :{still.state} (Reason(s): ...)"
            )
        if still is None:
            still = FakeStatus(self.next_id(), body["name"], state)
            statuses.append(still)
        still.state = state
        still.description, still.url = body.get("description", ""), body.get("target_url")
        return web.json_response(_told_status(still), status=201)

    async def _notes(self, request: web.Request) -> web.Response:
        # The newest first, as GitLab sorts them.
        notes = [_told_note(one) for one in reversed(self._change(request).comments)]
        return self._page(request, notes)

    async def _add_note(self, request: web.Request) -> web.Response:
        note = FakeComment(self.next_id(), OURS, (await request.json())["body"])
        self._change(request).comments.append(note)
        return web.json_response(_told_note(note), status=201)

    async def _edit_note(self, request: web.Request) -> web.Response:
        wanted = int(request.match_info["note"])
        note = next((one for one in self._change(request).comments if one.id == wanted), None)
        if note is None:
            raise _gone("Note")
        note.body = (await request.json())["body"]
        return web.json_response(_told_note(note))

    async def _user(self, request: web.Request) -> web.Response:
        return web.json_response({"id": self.people[OURS], "username": OURS})

    async def _users(self, request: web.Request) -> web.Response:
        name = request.query["username"]
        found = [{"id": self.people[name], "username": name}] if name in self.people else []
        return self._page(request, found)

    async def _members(self, request: web.Request) -> web.Response:
        repository, wanted = self._found(request), request.query["user_ids[]"]
        found = [
            {"id": self.people[name], "access_level": _LEVELS[role], "state": "active"}
            for name, role in repository.members.items()
            if str(self.people.get(name)) == wanted
        ]
        return self._page(request, found)


def _gone(what: str) -> web.HTTPException:
    text = json.dumps({"message": f"404 {what} Not Found"})
    return web.HTTPNotFound(text=text, content_type="application/json")


def _refs(refs: dict[str, str]) -> list[Any]:
    return [{"name": name, "commit": {"id": hash}} for name, hash in sorted(refs.items())]


def _told_status(status: FakeStatus) -> dict[str, Any]:
    return {
        "id": status.id,
        "name": status.context,
        "status": status.state,
        "description": status.description,
        "target_url": status.url,
    }


def _told_note(note: FakeComment) -> dict[str, Any]:
    return {"id": note.id, "body": note.body, "author": {"username": note.author}}
