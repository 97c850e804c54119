"""Fetches into mirrors: the options and the operation that `clone` and `fetch` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from pycurrent.cache import Builder, OfEngine, ResultCache, ResultLost, Retry, Schedule
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.by_hand import from_elsewhere
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.credentials import RepositoryAccess, SshKey, Token, token_of
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.plugins.git.mirrors import Mirrors, mirrors_of
from pycurrent.plugins.git.remote import GitRemote, Request
from pycurrent.plugins.options import Options
from pycurrent.term import Ok, Output, Primitive, Trust


class FetchOptions(Options, total=False):
    """The options of a function that fetches from a remote repository."""

    depth: int | None
    token: Token | str | None
    ssh_key: SshKey | None


class MirrorKey(Protocol):
    """A key that says which mirror to fetch into."""

    @property
    def repository(self) -> str: ...
    @property
    def depth(self) -> int | None: ...


K = TypeVar("K", bound=MirrorKey)


@dataclass(frozen=True, slots=True)
class MirrorWork(Builder[K, str]):
    """Fetches a commit into the mirror of its repository, and returns its hash."""

    # It runs nothing of what it fetches.
    for_untrusted: ClassVar[bool] = True
    durable: ClassVar[bool] = True
    local: ClassVar[bool] = True

    mirrors: Mirrors
    access: RepositoryAccess
    limits: Limits

    def mirror(self, key: K) -> Mirror:
        return Mirror(self.mirrors.root, RepositoryAddress.of(key.repository), key.depth)

    async def build(self, job: Job, key: K) -> str:
        mirror = self.mirror(key)
        hash = await GitRemote(job, self.mirrors, self.access).bring(mirror, self.request(key))
        await self.mirrors.fetched(Commit(mirror.repository, hash))
        job.log(f"{key} is {hash}. To get the same by hand: {from_elsewhere(mirror.address, hash)}")
        return hash

    @abstractmethod
    def request(self, key: K) -> Request:
        """Return the commit to fetch."""


def in_mirror(
    operation: Callable[[Mirrors], MirrorWork[K]],
    key: K,
    seen_on: str,
    *,
    retry: Retry | None,
    schedule: Schedule | None = None,
) -> Primitive[Commit]:
    """The commit that an operation fetches into a mirror of the engine. It was seen on a ref.

    The result records only the commit's hash, because the place of the mirror depends on the
    engine. If the mirror is gone, or damaged, the operation runs again.
    """

    def fetched(cache: ResultCache, trust: Trust) -> Primitive[Commit]:
        work = operation(cache.engine.service(mirrors_of))
        mirror = work.mirror(key)
        if not mirror.is_sound and isinstance(cache.known(work, key, trust=trust), Ok):
            lost = ResultLost(f"the mirror {mirror.repository}")
            cache.invalidate(work, key, lost, trust=trust)

        def found(output: Output[str]) -> Output[Commit]:
            return Ok(mirror.commit(output.value, seen_on)) if isinstance(output, Ok) else output

        return work.get(key, schedule=schedule, retry=retry).map_output(found)

    return OfEngine(fetched)


def access_by(options: FetchOptions) -> Callable[[str], RepositoryAccess]:
    """Return the access to a repository by these options. Raises UsageError for an empty token."""
    token, ssh_key = token_of(options["token"]), options["ssh_key"]
    return lambda repository: RepositoryAccess(RepositoryAddress.of(repository), token, ssh_key)


def checked_depth(depth: int | None) -> int | None:
    """Return the depth. Raises UsageError if it is less than one commit."""
    if depth is not None and depth < 1:
        raise UsageError(f"depth must be 1 or more commits, not {depth}")
    return depth
