"""Checks the invariants of nodes, for tests: see `node`."""

from __future__ import annotations

from collections.abc import Iterable

from pycurrent.incr.node import UNSET, Node, Observer


def check_nodes(observed: Iterable[Observer]) -> None:
    """Assert the invariants of everything below `observed`, between two runs."""
    stack: list[Node] = list(observed)
    seen: set[Node] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        assert not node.pending
        assert node.absent is not UNSET
        owner = None if node.home is None else node.home.owner
        assert owner is None or owner.height < node.height
        inputs = list(node.inputs())
        assert len(inputs) == len(set(inputs))
        for source in inputs:
            assert source.height < node.height
            assert node in source.get_users()
        for scope in node.scopes():
            assert all(root.height > node.height for root in scope.roots)
            assert all(root.users is not None for root in scope.roots)
        stack.extend(inputs)
    for node in seen:
        assert isinstance(node, Observer) or all(user in seen for user in node.get_users())
