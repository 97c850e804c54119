"""A server that behaves as the API of Forgejo and Gitea does, as far as we use it: strictly."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

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

_WORDS = {Permission.READ: "read", Permission.WRITE: "write", Permission.ADMIN: "admin"}
_STATES = ("pending", "success", "error", "failure", "warning")


class FakeForgejo(FakeForge):
    """One Forgejo."""

    page_size = 50
    roles = (Permission.READ, Permission.WRITE, Permission.ADMIN)
    stranger = Permission.READ

    def add_routes(self, router: web.UrlDispatcher) -> None:
        at = "/api/v1/repos/{owner}/{repo}"
        router.add_get("/api/v1/user", self._user)
        router.add_get("/api/v1/user/repos", self._repositories)
        router.add_get("/api/v1/orgs/{org}/repos", self._repositories_of_organization)
        router.add_get(f"{at}/branches", self._branches)
        router.add_get(f"{at}/tags", self._tags)
        router.add_get(f"{at}/pulls", self._pulls)
        router.add_get(f"{at}/commits/{{sha}}/statuses", self._statuses)
        router.add_post(f"{at}/statuses/{{sha}}", self._add_status)
        router.add_get(f"{at}/issues/{{number}}/comments", self._comments)
        router.add_post(f"{at}/issues/{{number}}/comments", self._add_comment)
        router.add_patch(f"{at}/issues/comments/{{comment}}", self._edit_comment)
        router.add_get(f"{at}/collaborators/{{person}}/permission", self._permission)

    def is_let_in(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"token {self.token}"

    def deliver(self, event: str, path: str, **more: Any) -> tuple[dict[str, str], bytes]:
        author = more.get("author", "ann")
        told: dict[str, Any] = {"repository": {"full_name": path}, "sender": {"login": author}}
        if event == "comment":
            comment = {"id": self.next_id(), "body": more["text"], "user": {"login": author}}
            told |= {"action": "created", "comment": comment, "is_pull": True}
            told |= {"issue": {"number": more["number"], "pull_request": {}}}
        told |= moved(more)
        body = json.dumps(told).encode()
        event = "issue_comment" if event == "comment" else event
        headers = {"content-type": "application/json"}
        for name in ("forgejo", "gitea"):
            headers[f"x-{name}-event"] = event
            headers[f"x-{name}-delivery"] = more.get("id", f"delivery-{self.next_id()}")
            headers[f"x-{name}-signature"] = self.signed(body)
        return headers, body

    def signed(self, body: bytes) -> str:
        """The signature of a body."""
        return hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()

    # Answers

    def _found(self, request: web.Request) -> FakeRepository:
        path = f"{request.match_info['owner']}/{request.match_info['repo']}"
        found = self.repositories.get(path)
        if found is None or (found.is_private and not found.is_ours):
            raise _gone()
        return found

    def _change(self, request: web.Request) -> FakeChange:
        change = self._found(request).changes.get(int(request.match_info["number"]))
        if change is None:
            raise _gone()
        return change

    def _page(self, request: web.Request, items: list[Any]) -> web.Response:
        size = min(int(request.query.get("limit", "30")), self.page_size)
        page = int(request.query.get("page", "1"))
        headers = {"X-Total-Count": str(len(items))}
        if page * size < len(items):
            link = request.url.update_query(page=str(page + 1))
            headers["Link"] = f'<{link}>; rel="next",<{link}>; rel="last"'
        return web.json_response(items[(page - 1) * size : page * size], headers=headers)

    async def _user(self, request: web.Request) -> web.Response:
        return web.json_response({"id": self.people[OURS], "login": OURS})

    async def _repositories(self, request: web.Request) -> web.Response:
        found = [one for one in self.repositories.values() if one.is_ours]
        return self._page(request, [self._told(one) for one in found])

    async def _repositories_of_organization(self, request: web.Request) -> web.Response:
        owner = request.match_info["org"]
        found = [one for one in self.repositories.values() if one.path.startswith(f"{owner}/")]
        if not found:
            raise _gone()
        return self._page(request, [self._told(one) for one in found])

    def _told(self, repository: FakeRepository) -> dict[str, Any]:
        address = f"{self.url}/{repository.path}"
        return {
            "id": repository.id,
            "full_name": repository.path,
            "clone_url": repository.clone_url or f"{address}.git",
            "html_url": address,
            # Planned, where there is no branch yet.
            "default_branch": "main",
            "empty": not repository.branches,
            "private": repository.is_private,
            "archived": repository.is_archived,
        }

    async def _branches(self, request: web.Request) -> web.Response:
        found = sorted(self._found(request).branches.items())
        return self._page(request, [{"name": name, "commit": {"id": hash}} for name, hash in found])

    async def _tags(self, request: web.Request) -> web.Response:
        found = sorted(self._found(request).tags.items())
        told = [
            {"name": name, "id": "f" * 40, "commit": {"sha": hash, "url": ""}}
            for name, hash in found
        ]
        return self._page(request, told)

    async def _pulls(self, request: web.Request) -> web.Response:
        assert request.query.get("state") == "open"
        repository = self._found(request)
        told = [self._told_change(repository, one) for one in repository.changes.values()]
        return self._page(request, told)

    def _told_change(self, repository: FakeRepository, change: FakeChange) -> dict[str, Any]:
        source = self.repositories.get(change.source) if change.source is not None else None
        # Of those that we may not see, and those that are gone, nothing is told.
        is_shown = source is not None and (source.is_ours or not source.is_private)
        ref = f"refs/pull/{change.number}/head"
        return {
            "id": repository.id * 1000 + change.number,
            "number": change.number,
            "title": f"WIP: {change.title}" if change.is_draft else change.title,
            "user": {"login": change.author},
            "html_url": f"{self.url}/{repository.path}/pulls/{change.number}",
            "labels": [{"name": name} for name in change.labels],
            "base": {"ref": change.base, "repo": self._told(repository)},
            "head": {
                "label": change.branch if not change.is_pushed_for_review else "",
                "ref": change.branch if source is not None and is_shown else ref,
                "sha": change.hash,
                "repo": self._told(source) if source is not None and is_shown else None,
            }
            | ({"ref": ref} if change.is_pushed_for_review else {}),
        }

    async def _statuses(self, request: web.Request) -> web.Response:
        assert request.query.get("sort") == "highestindex"
        found = self._found(request).statuses.get(request.match_info["sha"], [])
        return self._page(request, [_told_status(one) for one in reversed(found)])

    async def _add_status(self, request: web.Request) -> web.Response:
        repository, hash = self._found(request), request.match_info["sha"]
        body = await request.json()
        if hash not in repository.knows:
            raise _gone()
        if body["state"] not in _STATES:
            return self.refusal(422, "unknown state")
        made = FakeStatus(
            self.next_id(), body["context"], body["state"], body["description"], body["target_url"]
        )
        repository.statuses.setdefault(hash, []).append(made)
        return web.json_response(_told_status(made), status=201)

    async def _comments(self, request: web.Request) -> web.Response:
        # All of them, whatever page is asked for.
        told = [self._told_comment(one) for one in self._change(request).comments]
        return web.json_response(told, headers={"X-Total-Count": str(len(told))})

    async def _add_comment(self, request: web.Request) -> web.Response:
        made = FakeComment(self.next_id(), OURS, (await request.json())["body"])
        self._change(request).comments.append(made)
        return web.json_response(self._told_comment(made), status=201)

    async def _edit_comment(self, request: web.Request) -> web.Response:
        wanted = int(request.match_info["comment"])
        for change in self._found(request).changes.values():
            for comment in change.comments:
                if comment.id == wanted:
                    comment.body = (await request.json())["body"]
                    return web.json_response(self._told_comment(comment))
        raise _gone()

    def _told_comment(self, comment: FakeComment) -> dict[str, Any]:
        user, url = {"login": comment.author}, f"{self.url}/comments/{comment.id}"
        return {"id": comment.id, "body": comment.body, "user": user, "html_url": url}

    async def _permission(self, request: web.Request) -> web.Response:
        repository, name = self._found(request), request.match_info["person"]
        if name not in self.people:
            raise _gone()
        role = repository.members.get(name)
        open_to_all = "none" if repository.is_private else "read"
        return web.json_response(
            {"permission": open_to_all if role is None else _WORDS[role], "user": {"login": name}}
        )


def _gone() -> web.HTTPException:
    text = json.dumps({"message": "The target couldn't be found.", "errors": []})
    return web.HTTPNotFound(text=text, content_type="application/json")


def _told_status(status: FakeStatus) -> dict[str, Any]:
    return {
        "id": status.id,
        "context": status.context,
        "status": status.state,
        "description": status.description,
        "target_url": status.url or "",
    }
