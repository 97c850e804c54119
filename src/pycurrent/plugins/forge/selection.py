"""A choice of the refs of a repository."""

from __future__ import annotations

from dataclasses import dataclass

from pycurrent.plugins.forge.values import Branch, Change, MergeGroup, Ref, Tag
from pycurrent.plugins.git.refs import RefPattern


@dataclass(frozen=True, slots=True)
class RefSelection:
    """The refs that a pipeline asks for."""

    branches: RefPattern | None
    tags: RefPattern | None
    changes: bool

    @classmethod
    def of(cls, branches: str | None, tags: str | None, *, changes: bool) -> RefSelection:
        """Raises `UsageError` for a malformed pattern."""
        return cls(
            None if branches is None else RefPattern(f"refs/heads/{branches}"),
            None if tags is None else RefPattern(f"refs/tags/{tags}"),
            changes,
        )

    def has(self, ref: Ref) -> bool:
        """True if the ref was asked for."""
        match ref:
            case Branch():
                return self.branches is not None and self.branches.matches(ref.ref)
            case Tag():
                return self.tags is not None and self.tags.matches(ref.ref)
            case Change() | MergeGroup():
                return self.changes
