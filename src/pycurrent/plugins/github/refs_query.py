"""The refs of repositories by GraphQL: what a query asks for, and what its answer says.

One query reads many repositories. Its cost is counted by its connections, each one of which is a
request if it is of one node, and as many as there are nodes at most otherwise:

    points = requests / 100, rounded to the nearest whole number, and at least 1

(docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api). A repository
has three connections: branches, tags and open pull requests. So 33 of them are one point, with
9,900 nodes of the 500,000 that a query may have. The labels of a hundred pull requests would be a
hundred connections more for each repository. So they are only asked for with a query that reads
one repository, whose point they don't make two, and else by a request for each pull request that
was changed since.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycurrent.plugins.forge.limit import asker
from pycurrent.plugins.forge.values import Ref, Repository, Tag
from pycurrent.plugins.github import reading
from pycurrent.term import Failure

CONNECTIONS = 100
"""The connections that a query has at most: those of one point."""

_BRANCHES, _TAGS, _CHANGES = "branches", "tags", "changes"
_OPEN = "states: OPEN, orderBy: {field: CREATED_AT, direction: ASC}"
_PAGE = "first: 100"
"""GitHub gives no more at once."""
_LABELS = f"labels({_PAGE}) {{nodes {{name}}}}"
_REFS = """
fragment Refs on RefConnection {pageInfo {hasNextPage endCursor} nodes {name target {...Target}}}
fragment Target on GitObject {__typename oid ... on Tag {target {
  __typename oid ... on Tag {target {__typename oid ... on Tag {target {__typename oid}}}}
}}}"""
"""A tag may lead to a tag, which leads to a commit."""
_CHANGE = """
fragment Changes on PullRequestConnection {pageInfo {hasNextPage endCursor} nodes {
  number title url isDraft updatedAt author {login}
  baseRefName headRefName headRefOid headRepository {nameWithOwner} LABELS
}}"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of a pull request, as they were when it was changed last."""

    updated: str
    names: tuple[str, ...]


class RefsReading:
    """The refs of one repository, which are read page by page."""

    def __init__(self, repository: Repository, known: dict[int, Labelled]) -> None:
        """`known` are the labels of its pull requests, as far as they were read already."""
        self.repository = repository
        self.result: asyncio.Future[tuple[Ref, ...]] = asyncio.get_running_loop().create_future()
        self.asker = asker()
        self.labels: dict[int, Labelled] = {}
        """The labels of its open pull requests."""
        self._known = known
        self._after: dict[str, str | None] = dict.fromkeys((_BRANCHES, _TAGS, _CHANGES))
        """The lists that are not at their end, and where they go on."""
        self._refs: dict[str, Ref] = {}
        self._changes: dict[int, Any] = {}
        self._unlabelled: dict[int, str] = {}
        """Pull requests whose labels are not known, and when they were changed."""

    @property
    def is_done(self) -> bool:
        """True if there is nothing more to ask for."""
        return not self._after and not self._unlabelled

    @property
    def fields(self) -> list[str]:
        """The connections that are to be asked for next, as fields of a repository."""
        return [
            *(_page(part, after) for part, after in self._after.items()),
            *(
                f"p{number}: pullRequest(number: {number}) {{{_LABELS}}}"
                for number in self._unlabelled
            ),
        ]

    def take(self, told: Any) -> None:
        """Take what an answer tells of the repository. Raises KeyError, TypeError or AttributeError
        for what isn't an answer.
        """
        for part in list(self._after):
            if part in told:
                self._take_page(part, told[part])
        for number, updated in list(self._unlabelled.items()):
            if f"p{number}" in told:
                self._label(number, updated, told[f"p{number}"])

    def _take_page(self, part: str, told: Any) -> None:
        for node in told["nodes"]:
            self._take_node(part, node)
        if told["pageInfo"]["hasNextPage"]:
            self._after[part] = told["pageInfo"]["endCursor"]
        else:
            del self._after[part]

    def _take_node(self, part: str, node: Any) -> None:
        if part == _CHANGES:
            number, updated = node["number"], node["updatedAt"]
            self._changes[number] = node
            known = self._known.get(number)
            if "labels" in node:
                self._label(number, updated, node)
            elif known is not None and known.updated == updated:
                self.labels[number] = known
            else:
                self._unlabelled[number] = updated
            return
        hash = _commit_of(node["target"])
        if hash is None:
            return
        make = reading.branch if part == _BRANCHES else Tag
        ref = make(self.repository, node["name"], hash)
        self._refs[ref.ref] = ref

    def _label(self, number: int, updated: str, told: Any) -> None:
        names = sorted(one["name"] for one in told["labels"]["nodes"])
        self.labels[number] = Labelled(updated, tuple(names))
        self._unlabelled.pop(number, None)

    def succeed(self) -> None:
        """Give all that was read to the asker, if they still wait."""
        if not self.result.done():
            self.result.set_result(self._all)

    def fail(self, error: Exception) -> None:
        """It can't be read. Each reading has a failure of its own."""
        if not self.result.done():
            own = Failure(str(error), kind=error.kind) if isinstance(error, Failure) else error
            self.result.set_exception(own)

    @property
    def _all(self) -> tuple[Ref, ...]:
        changes = (
            reading.change_of_node(self.repository, node, self.labels[number].names)
            for number, node in sorted(self._changes.items())
        )
        return (*self._refs.values(), *changes)


def query_of(asked: Sequence[tuple[Repository, Sequence[str]]]) -> str:
    """The query for these fields of repositories, which its answer calls `r0`, `r1` and so on."""
    lines = []
    for number, (repository, fields) in enumerate(asked):
        owner, name = map(json.dumps, repository.path.split("/", 1))
        wanted = " ".join(fields)
        lines.append(f"r{number}: repository(owner: {owner}, name: {name}) {{databaseId {wanted}}}")
    body = "\n".join(lines)
    query = f"{{\n{body}\n}}"
    if "...Refs" in body:
        query += _REFS
    if "...Changes" in body:
        query += _CHANGE.replace("LABELS", _LABELS if len(asked) == 1 else "")
    return query


def _page(part: str, after: str | None) -> str:
    page = _PAGE if after is None else f"{_PAGE}, after: {json.dumps(after)}"
    if part == _CHANGES:
        return f"{part}: pullRequests({_OPEN}, {page}) {{...Changes}}"
    prefix = "refs/heads/" if part == _BRANCHES else "refs/tags/"
    return f'{part}: refs(refPrefix: "{prefix}", {page}) {{...Refs}}'


def _commit_of(target: Any) -> str | None:
    """The commit that a ref leads to; None if it leads to something else, or to nothing."""
    while target is not None and target["__typename"] == "Tag":
        target = target.get("target")
    return target["oid"] if target is not None and target["__typename"] == "Commit" else None
