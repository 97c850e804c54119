"""Fetch one commit of a remote repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Builder
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.by_hand import from_elsewhere
from pycurrent.plugins.git.commit import Commit, CommitId
from pycurrent.plugins.git.credentials import RepositoryAccess, SshKey, Token, token_of
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.plugins.git.mirrors import InMirror, Mirrors
from pycurrent.plugins.git.remote import Exactly, GitRemote
from pycurrent.plugins.options import Limits, Options, operation_component, with_options
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
class GitFetch(Builder[FetchKey, str]):
    """Fetches a commit into the mirror of its repository, and returns its hash.

    It goes on when nobody needs the commit any more: the next commit needs most of the same
    objects, and with frequent pushes it would otherwise never finish.
    """

    id: ClassVar[str] = "git-fetch"

    mirrors: Mirrors
    seen_on: str
    access: RepositoryAccess
    limits: Limits

    def describe(self, key: FetchKey) -> str:
        return f"fetch {key}"

    async def build(self, job: Job, key: FetchKey) -> str:
        await self.limits.start(job)
        mirror = Mirror(self.mirrors.root, RepositoryAddress.of(key.repository), key.depth)
        remote = GitRemote(job, self.mirrors, self.access)
        hash = await remote.bring(mirror, Exactly(key.hash, self.seen_on))
        job.log(f"To get the same by hand: {from_elsewhere(mirror.address, hash)}")
        return hash


class FetchOptions(Options, total=False):
    """The options of a function that fetches from a remote repository."""

    depth: int | None
    token: Token | str | None
    ssh_key: SshKey | None


@with_options(level=Level.MOSTLY_HARMLESS)
def fetch(
    commit_id: CommitId | Current[CommitId],
    **options: Unpack[FetchOptions],
) -> Current[Commit]:
    """The commit, fetched once into our mirror of the repository, with its submodules.

    A commit that a force push has removed is fetched by its hash, if the server allows that. With
    `depth` the mirror only has that many of the last commits, and no other branches and tags.
    `token` and `ssh_key` are only used for the repository's own host.
    """
    limits, depth = Limits.of(options), checked_depth(options["depth"])
    token = token_of(options["token"])

    def on_values(commit_id: CommitId) -> Primitive[Commit]:
        address = RepositoryAddress.of(commit_id.repository)
        access = RepositoryAccess(address, token, options["ssh_key"])
        return InMirror(
            lambda mirrors: Mirror(mirrors.root, address, depth),
            lambda mirrors: GitFetch(mirrors, commit_id.ref, access, limits),
            FetchKey(commit_id.repository, commit_id.hash, depth),
            commit_id.ref,
        )

    return operation_component(options["label"], "fetch {commit_id}", on_values, commit_id)


def checked_depth(depth: int | None) -> int | None:
    """Return the depth. Raises UsageError if it is less than one commit."""
    if depth is not None and depth < 1:
        raise UsageError(f"depth must be 1 or more commits, not {depth}")
    return depth
