"""GraphQL as GitHub has it: by its own schema, with its limits of nodes, and its points."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import graphql
from graphql import language

from ...node import require_packages
from ..forge.model import FakeChange, FakeRepository

_MOST_NODES = 500_000
_MOST_OF_A_PAGE = 100


@functools.cache
def schema() -> graphql.GraphQLSchema:
    """That of github.com, as Octokit has recorded it. Without npm the test is skipped."""
    packages = require_packages(Path(__file__).parent / "npm")
    text = (packages / "@octokit" / "graphql-schema" / "schema.graphql").read_text()
    return graphql.build_schema(text, assume_valid=True)


@dataclass(frozen=True)
class Price:
    """The price of a query, as docs.github.com/graphql/overview has the formula."""

    nodes: int
    requests: int

    @property
    def points(self) -> int:
        return max(1, round(self.requests / 100))


@dataclass
class Told:
    """An answer."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    price: Price = Price(0, 0)

    @property
    def body(self) -> dict[str, Any]:
        return {"data": self.data} | ({"errors": self.errors} if self.errors else {})


Find = Callable[[str, str], FakeRepository | None]


def answer(query: str, find: Find, *, url: str, page: int) -> Told:
    """Answer a query. `find` gives the repository of an owner and a name, if it is shown; `page` is
    how many nodes a list gives at most.
    """
    document = graphql.parse(query)
    wrong = graphql.validate(schema(), document)
    assert not wrong, wrong
    price = _price_of(document)
    assert price.nodes <= _MOST_NODES, price

    def repository(info: object, **given: Any) -> Any:
        found = find(given["owner"], given["name"])
        if found is not None:
            return _Repository(found, url, page)
        error = graphql.GraphQLError(
            "Could not resolve to a Repository with the name '{owner}/{name}'.".format(**given)
        )
        error.extensions = {"type": "NOT_FOUND"}
        raise error

    result = graphql.execute_sync(schema(), document, {"repository": repository})
    errors = [
        {"message": one.message, "path": one.path, **(one.extensions or {})}
        for one in result.errors or ()
    ]
    for error in errors:
        assert "type" in error, error
    return Told(dict(result.data or {}), errors, price)


class _Repository:
    """The fields of a repository that we may ask for."""

    def __init__(self, of: FakeRepository, url: str, page: int) -> None:
        self._of = of
        self._url = url
        self._page = page
        self.databaseId = of.id

    def refs(self, info: object, *, refPrefix: str, **given: Any) -> Any:
        known = {"refs/heads/": self._of.branches, "refs/tags/": self._of.tags}[refPrefix]
        nodes = [
            {"name": name, "target": self._of.objects.get(hash) or commit(hash)}
            for name, hash in sorted(known.items())
        ]
        return self._connection(nodes, **given)

    def pullRequests(self, info: object, **given: Any) -> Any:
        assert given.pop("states") == ["OPEN"]
        assert given.pop("orderBy") == {"field": "CREATED_AT", "direction": "ASC"}
        return self._connection([self._told(one) for one in self._of.changes.values()], **given)

    def pullRequest(self, info: object, number: int) -> Any:
        return self._told(self._of.changes[number])

    def _told(self, change: FakeChange) -> dict[str, Any]:
        source = None if change.source is None else {"nameWithOwner": change.source}
        labels = [{"name": name} for name in change.labels]
        return {
            "number": change.number,
            "title": change.title,
            "url": f"{self._url}/{self._of.path}/pull/{change.number}",
            "isDraft": change.is_draft,
            "updatedAt": f"{hash((change.hash, change.title, change.labels))}",
            "author": {"__typename": "User", "login": change.author},
            "baseRefName": change.base,
            "headRefName": change.branch,
            "headRefOid": change.hash,
            "headRepository": source,
            "labels": {"nodes": labels},
        }

    def _connection(self, nodes: list[Any], *, first: int, after: str | None = None) -> Any:
        begin = 0 if after is None else int(after.removeprefix("cursor-"))
        end = begin + min(first, self._page)
        return {
            "nodes": nodes[begin:end],
            "pageInfo": {"hasNextPage": end < len(nodes), "endCursor": f"cursor-{end}"},
        }


def commit(hash: str) -> dict[str, Any]:
    """A commit, as the target of a ref."""
    return {"__typename": "Commit", "oid": hash}


def tag(hash: str, target: Mapping[str, Any]) -> dict[str, Any]:
    """An annotated tag."""
    return {"__typename": "Tag", "oid": hash, "target": target}


# The price


def _price_of(document: language.DocumentNode) -> Price:
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, language.FragmentDefinitionNode)
    }
    nodes = requests = 0
    for one in document.definitions:
        if isinstance(one, language.OperationDefinitionNode):
            more = _counted(one.selection_set, fragments, 1)
            nodes, requests = nodes + more[0], requests + more[1]
    return Price(nodes, requests)


Fragments = Mapping[str, language.FragmentDefinitionNode]


def _counted(
    within: language.SelectionSetNode | None, fragments: Fragments, times: int
) -> tuple[int, int]:
    """The nodes and the requests of what is selected in so many nodes."""
    nodes = requests = 0
    for one in _fields(within, fragments):
        inside = times
        if (size := _size(one.arguments)) is not None:
            assert 1 <= size <= _MOST_OF_A_PAGE
            requests += times
            inside = times * size
            nodes += inside
        more = _counted(one.selection_set, fragments, inside)
        nodes, requests = nodes + more[0], requests + more[1]
    return nodes, requests


def _fields(
    within: language.SelectionSetNode | None, fragments: Fragments
) -> Iterator[language.FieldNode]:
    for one in within.selections if within is not None else ():
        if isinstance(one, language.FieldNode):
            yield one
        elif isinstance(one, language.FragmentSpreadNode):
            yield from _fields(fragments[one.name.value].selection_set, fragments)
        elif isinstance(one, language.InlineFragmentNode):
            yield from _fields(one.selection_set, fragments)


def _size(arguments: Sequence[language.ArgumentNode] | None) -> int | None:
    for one in arguments or ():
        if one.name.value == "first" and isinstance(one.value, language.IntValueNode):
            return int(one.value.value)
    return None
