"""Follow the head of a remote repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import Job, Level
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.by_hand import from_elsewhere
from pycurrent.plugins.git.commit import Commit, checked_ref
from pycurrent.plugins.git.credentials import RepositoryAccess, token_of
from pycurrent.plugins.git.fetch import FetchOptions, checked_depth
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.plugins.git.mirrors import InMirror, Mirrors
from pycurrent.plugins.git.remote import GitRemote, HeadOf
from pycurrent.plugins.options import Limits, operation_component, with_options
from pycurrent.term import Current, Primitive


@dataclass(frozen=True, slots=True)
class CloneKey:
    """A ref of a repository, and how much of its history to fetch."""

    repository: str
    gref: str
    depth: int | None = None

    def __str__(self) -> str:
        return f"{self.repository} {self.gref}"


@dataclass(frozen=True, slots=True)
class GitClone(Builder[CloneKey, str]):
    """Creates or updates the mirror of a repository, and returns the hash of the head."""

    id: ClassVar[str] = "git-clone"
    auto_cancel: ClassVar[bool] = True

    mirrors: Mirrors
    access: RepositoryAccess
    limits: Limits

    def describe(self, key: CloneKey) -> str:
        return f"clone {key}"

    async def build(self, job: Job, key: CloneKey) -> str:
        await self.limits.start(job)
        mirror = Mirror(self.mirrors.root, RepositoryAddress.of(key.repository), key.depth)
        hash = await GitRemote(job, self.mirrors, self.access).bring(mirror, HeadOf(key.gref))
        job.log(f"{key} is {hash}. To get the same by hand: {from_elsewhere(mirror.address, hash)}")
        return hash


@with_options(level=Level.MOSTLY_HARMLESS)
def clone(
    repo: str | Current[str],
    *,
    gref: str | Current[str] = "HEAD",
    schedule: Schedule | None = None,
    **options: Unpack[FetchOptions],
) -> Current[Commit]:
    """The commit at the head of a remote repository, fetched into our mirror with its submodules.

    The repository is looked at once, or as often as the `schedule` says; finding the same head
    changes nothing. `gref` is the full name of a ref, by default HEAD: the main branch of the
    repository. The other options are as with `fetch`.
    """
    limits, depth = Limits.of(options), checked_depth(options["depth"])
    token = token_of(options["token"])

    def on_values(repo: str, gref: str) -> Primitive[Commit]:
        address = RepositoryAddress.of(repo)
        access = RepositoryAccess(address, token, options["ssh_key"])
        return InMirror(
            lambda mirrors: Mirror(mirrors.root, address, depth),
            lambda mirrors: GitClone(mirrors, access, limits),
            CloneKey(repo, checked_ref(gref), depth),
            gref,
            schedule,
        )

    default = "clone {repo}" if gref == "HEAD" else "clone {repo} {gref}"
    return operation_component(options["label"], default, on_values, repo, gref)
