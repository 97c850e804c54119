"""Fetch one commit of a remote repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Unpack

from pycurrent.engine import Level
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.commit import Commit, CommitId
from pycurrent.plugins.git.mirror_work import (
    FetchOptions,
    MirrorWork,
    access_by,
    checked_depth,
    in_mirror,
)
from pycurrent.plugins.git.remote import Exactly
from pycurrent.plugins.options import limits_of, operation_component, with_options
from pycurrent.term import Current, Primitive


@dataclass(frozen=True, slots=True)
class FetchKey:
    """A commit to fetch. The ref on which it was seen only helps to find it."""

    repository: str
    hash: str
    depth: int | None = None

    def __str__(self) -> str:
        return f"{self.repository} {self.hash[:10]}"


@dataclass(frozen=True, slots=True)
class GitFetch(MirrorWork[FetchKey]):
    """Fetches one commit.

    It goes on when nobody needs the commit any more: the next commit needs most of the same
    objects, and with frequent pushes it would otherwise never finish.
    """

    id: ClassVar[str] = "git-fetch"

    seen_on: str

    def describe(self, key: FetchKey) -> str:
        return f"fetch {key}"

    def labels(self, key: FetchKey) -> Mapping[str, str]:
        repo = RepositoryAddress.of(key.repository).name
        return {"repo": repo, "ref": self.seen_on, "commit": key.hash}

    def request(self, key: FetchKey) -> Exactly:
        return Exactly(key.hash, self.seen_on)


@with_options(level=Level.MOSTLY_HARMLESS)
def fetch(
    commit_id: CommitId | Current[CommitId], **options: Unpack[FetchOptions]
) -> Current[Commit]:
    """The commit, fetched once into our mirror of the repository, with its submodules.

    A commit that a force push has removed is fetched by its hash, if the server allows that. With
    `depth` the mirror only has that many of the last commits, and no other branches and tags.
    `token` and `ssh_key` are only used for the repository's own host.
    """
    limits, depth = limits_of(options), checked_depth(options["depth"])
    access_to = access_by(options)

    def on_values(commit_id: CommitId) -> Primitive[Commit]:
        repository, seen_on = commit_id.repository, commit_id.ref
        key, access = FetchKey(repository, commit_id.hash, depth), access_to(repository)
        work = partial(GitFetch, access=access, limits=limits, seen_on=seen_on)
        return in_mirror(work, key, seen_on, retry=options["retry"])

    return operation_component(options["label"], "fetch {commit_id}", on_values, commit_id)
