"""A server that behaves as GitHub's API does, as far as we use it, and is strict about that.

GitHub's own description of its API (described.py) judges each request and each answer under /api/v3
where npm can bring it; whatever is wrong fails the test when the fake stops. A new path needs its
route, with as many names in braces as GitHub's own (other names are fine), and a handler that tells
the fields that matter. Those that GitHub must tell beside them are filled in, as null or empty.
Fields that GitHub does not have, and types and words that are others, are wrong.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

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
from . import graph
from .check_runs import CheckRuns
from .deployments import FakeDeployments
from .described import judge

_ROLES = {
    Permission.READ: "read",
    Permission.TRIAGE: "triage",
    Permission.WRITE: "write",
    Permission.ADMIN: "admin",
}
_STATES = ("pending", "success", "error", "failure")
_TYPE = "application/vnd.github+json"


class FakeGithub(FakeForge):
    """One GitHub Enterprise Server, at which we are a person with a token, or an App."""

    stranger = Permission.READ

    def __init__(self) -> None:
        super().__init__()
        self.judge = judge()
        self.key = _key()
        """That of the App."""
        self.installations: dict[int, str | None] = {}
        """Of the App: by id, when it was suspended. Each sees the repositories of `homes`."""
        self.refused: set[int] = set()
        """Installations that are listed, but let nobody in."""
        self.homes: dict[str, int] = {}
        """By the path of a repository, the installation that sees it."""
        self.tokens: dict[str, int] = {}
        """Those that were made for installations."""
        self.now: datetime | None = None
        """The time there, where tokens end; by default that of whoever asks."""
        self.checks = CheckRuns(self, self._found, self._page)
        self.unchanged = 0
        """How many answers said that all is as it was, which costs nothing."""
        self.deployments = FakeDeployments(self, self._found, self._page)
        self.prices: list[graph.Price] = []
        """Those of the queries that were answered."""
        self.parts: Callable[[graph.Told], graph.Told] = lambda told: told
        """What becomes of the answer to a query."""

    def add_routes(self, router: web.UrlDispatcher) -> None:
        at = "/api/v3/repos/{owner}/{repo}"
        router.add_post("/api/graphql", self._graphql)
        self.checks.add_routes(router)
        router.add_get("/api/v3/user", self._user)
        router.add_get("/api/v3/user/repos", self._repositories)
        router.add_get("/api/v3/app", self._app)
        router.add_get("/api/v3/app/installations", self._installations)
        router.add_post("/api/v3/app/installations/{id}/access_tokens", self._make_token)
        router.add_get("/api/v3/installation/repositories", self._installed)
        router.add_get(f"{at}/branches", self._branches)
        router.add_get(f"{at}/tags", self._tags)
        router.add_get(f"{at}/pulls", self._pulls)
        router.add_get(f"{at}/commits/{{sha}}/statuses", self._statuses)
        router.add_post(f"{at}/statuses/{{sha}}", self._add_status)
        router.add_get(f"{at}/issues/{{number}}/comments", self._comments)
        router.add_post(f"{at}/issues/{{number}}/comments", self._add_comment)
        router.add_patch(f"{at}/issues/comments/{{comment}}", self._edit_comment)
        router.add_get(f"{at}/collaborators/{{person}}/permission", self._permission)
        self.deployments.add_routes(router, at)

    def is_let_in(self, request: web.Request) -> bool:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        assert request.headers["Accept"] == _TYPE
        assert request.headers["X-GitHub-Api-Version"] == "2022-11-28"
        if request.path.startswith("/api/v3/app"):
            return self._is_of_app(token)
        return token == self.token or token in self.tokens

    def _is_of_app(self, token: str) -> bool:
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256"]).claims
        except ValueError:
            return False
        now = claims["iat"] if self.now is None else self.now.timestamp()
        lasts = timedelta(seconds=claims["exp"] - now)
        begins = claims["iat"] <= now
        return claims["iss"] == "1234" and begins and timedelta() < lasts <= timedelta(minutes=10)

    def deliver(self, event: str, path: str, **more: Any) -> tuple[dict[str, str], bytes]:
        author = more.get("author", "ann")
        told: dict[str, Any] = {"repository": {"full_name": path}, "sender": {"login": author}}
        if event == "comment":
            comment = {"id": self.next_id(), "body": more["text"], "user": {"login": author}}
            told |= {"action": "created", "comment": comment}
            told |= {"issue": {"number": more["number"], "pull_request": {"url": "..."}}}
        told |= moved(more)
        body = json.dumps(told).encode()
        signature = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        return {
            "content-type": "application/json",
            "x-github-event": "issue_comment" if event == "comment" else event,
            "x-github-delivery": more.get("id", f"delivery-{self.next_id()}"),
            "x-hub-signature-256": f"sha256={signature}",
        }, body

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

    def _page(self, request: web.Request, items: list[Any], within: str = "") -> web.Response:
        size = min(int(request.query.get("per_page", "30")), self.page_size)
        page = int(request.query.get("page", "1"))
        here = items[(page - 1) * size : page * size]
        body = json.dumps({within: here, "total_count": len(items)} if within else here).encode()
        # GitHub's depend on the token, too.
        seen = body + request.headers["Authorization"].encode()
        headers = {"ETag": f'W/"{hashlib.sha256(seen).hexdigest()}"'}
        if page * size < len(items):
            link = request.url.update_query(page=str(page + 1))
            headers["Link"] = f'<{link}>; rel="next", <{link}>; rel="last"'
        if request.headers.get("If-None-Match") == headers["ETag"]:
            self.unchanged += 1
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers, content_type="application/json")

    async def _user(self, request: web.Request) -> web.Response:
        return web.json_response({"id": self.people[OURS], "login": OURS})

    async def _app(self, request: web.Request) -> web.Response:
        return web.json_response({"id": 1234, "slug": OURS})

    async def _installations(self, request: web.Request) -> web.Response:
        told = [{"id": id, "suspended_at": at} for id, at in self.installations.items()]
        return self._page(request, told)

    async def _make_token(self, request: web.Request) -> web.Response:
        id = int(request.match_info["id"])
        if id not in self.installations:
            raise _gone()
        if id in self.refused:
            return self.refusal(403, "Your IP address is not permitted to access this resource")
        if self.installations[id] is not None:
            return self.refusal(403, "This installation has been suspended")
        token = self.made_token()
        self.tokens[token] = id
        begins = self.now or self._time_of(request)
        ends = (begins + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return web.json_response({"token": token, "expires_at": ends}, status=201)

    def made_token(self) -> str:
        """A token for an installation."""
        return f"ghs_{self.next_id()}"

    def _time_of(self, request: web.Request) -> datetime:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, self.key, algorithms=["RS256"]).claims
        return datetime.fromtimestamp(claims["iat"], UTC)

    async def _graphql(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body.keys() == {"query"}
        id = self.tokens.get(request.headers["Authorization"].removeprefix("Bearer "))

        def find(owner: str, name: str) -> FakeRepository | None:
            found = self.repositories.get(f"{owner}/{name}")
            is_seen = found is not None and (
                not found.is_private or self.homes.get(found.path) == id
            )
            return found if is_seen else None

        told = graph.answer(body["query"], find, url=self.url, page=self.page_size)
        self.prices.append(told.price)
        return web.json_response(self.parts(told).body)

    async def _installed(self, request: web.Request) -> web.Response:
        id = self.tokens[request.headers["Authorization"].removeprefix("Bearer ")]
        seen = [path for path in self.repositories if self.homes.get(path) == id]
        told = [self._told(self.repositories[path]) for path in seen]
        return self._page(request, told, "repositories")

    async def _repositories(self, request: web.Request) -> web.Response:
        assert request.query["affiliation"] == "owner,collaborator,organization_member"
        found = [one for one in self.repositories.values() if one.is_ours]
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
            "size": 1 if repository.branches else 0,
            "pushed_at": "2026-01-01T00:00:00Z" if repository.branches else None,
            "private": repository.is_private,
            "archived": repository.is_archived,
        }

    async def _branches(self, request: web.Request) -> web.Response:
        return self._page(request, _refs(self._found(request).branches))

    async def _tags(self, request: web.Request) -> web.Response:
        return self._page(request, _refs(self._found(request).tags))

    async def _pulls(self, request: web.Request) -> web.Response:
        assert request.query["state"] == "open"
        repository = self._found(request)
        return self._page(
            request, [self._told_change(repository, one) for one in repository.changes.values()]
        )

    def _told_change(self, repository: FakeRepository, change: FakeChange) -> dict[str, Any]:
        source = None if change.source is None else {"full_name": change.source}
        return {
            "number": change.number,
            "head": {"sha": change.hash, "ref": change.branch, "repo": source},
            "base": {"ref": change.base},
            "title": change.title,
            "user": {"login": change.author},
            "draft": change.is_draft,
            "labels": [{"name": name} for name in change.labels],
            "html_url": f"{self.url}/{repository.path}/pull/{change.number}",
        }

    async def _statuses(self, request: web.Request) -> web.Response:
        found = self._found(request).statuses.get(request.match_info["sha"], [])
        return self._page(request, [_told_status(one) for one in reversed(found)])

    async def _add_status(self, request: web.Request) -> web.Response:
        repository, hash = self._found(request), request.match_info["sha"]
        body = await request.json()
        if hash not in repository.knows:
            return self.refusal(422, f"No commit found for SHA: {hash}")
        if body["state"] not in _STATES or len(body["description"]) > 140:
            return self.refusal(422, "Validation Failed")
        made = FakeStatus(self.next_id(), body["context"], body["state"])
        made.description, made.url = body["description"], body["target_url"] or None
        repository.statuses.setdefault(hash, []).append(made)
        return web.json_response(_told_status(made), status=201)

    async def _comments(self, request: web.Request) -> web.Response:
        return self._page(request, [self._told_comment(c) for c in self._change(request).comments])

    async def _add_comment(self, request: web.Request) -> web.Response:
        body = (await request.json())["body"]
        author = OURS if self._is_person(request) else f"{OURS}[bot]"
        made = FakeComment(self.next_id(), author, body)
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

    def _is_person(self, request: web.Request) -> bool:
        return request.headers["Authorization"] == f"Bearer {self.token}"

    def _told_comment(self, comment: FakeComment) -> dict[str, Any]:
        return {
            "id": comment.id,
            "body": comment.body,
            "user": {"login": comment.author},
            "html_url": f"{self.url}/comment-{comment.id}",
        }

    async def _permission(self, request: web.Request) -> web.Response:
        repository, name = self._found(request), request.match_info["person"]
        if name not in self.people:
            raise _gone()
        role = repository.members.get(name)
        if role is None:
            word = "none" if repository.is_private else "read"
            return web.json_response({"permission": word, "role_name": word})
        word = _ROLES[role]
        # What GitHub had before there were roles.
        old = {"triage": "read"}.get(word, word)
        return web.json_response({"permission": old, "role_name": word})


class FakeGithubOfApp(FakeGithub):
    """The same, at which we are an App that is installed at all that is ours."""

    us = f"{OURS}[bot]"
    fetching = "ghs_very-secret"
    requests_of_refs = 1

    def __init__(self) -> None:
        super().__init__()
        graph.schema()
        self.token = self.key.as_pem(private=True).decode()
        self.installations[1] = None

    def made_token(self) -> str:
        return self.fetching

    def add(self, path: str, **more: Any) -> FakeRepository:
        made = super().add(path, **more)
        if made.is_ours:
            self.homes[path] = 1
        return made


@functools.cache
def _key() -> RSAKey:
    return RSAKey.generate_key(2048)


def _gone() -> web.HTTPException:
    return web.HTTPNotFound(
        text=json.dumps({"message": "Not Found"}), content_type="application/json"
    )


def _refs(refs: dict[str, str]) -> list[Any]:
    return [{"name": name, "commit": {"sha": hash}} for name, hash in sorted(refs.items())]


def _told_status(status: FakeStatus) -> dict[str, Any]:
    return {
        "id": status.id,
        "context": status.context,
        "state": status.state,
        "description": status.description,
        "target_url": status.url,
    }
