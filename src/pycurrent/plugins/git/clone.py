"""Follow the head of a remote repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Unpack

from pycurrent.cache import Schedule
from pycurrent.engine import Level
from pycurrent.engine.changes import ChangeText
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.commit import Commit, checked_ref
from pycurrent.plugins.git.mirror_work import (
    FetchOptions,
    MirrorWork,
    access_by,
    checked_depth,
    in_mirror,
)
from pycurrent.plugins.git.remote import HeadOf
from pycurrent.plugins.git.told import change_told
from pycurrent.plugins.options import limits_of, operation_component, with_options
from pycurrent.term import Current, Primitive


@dataclass(frozen=True, slots=True)
class CloneKey:
    """A ref of a repository, and how much of its history to fetch."""

    repository: str
    gref: str
    depth: int | None = None

    def __str__(self) -> str:
        return f"{self.repository} {self.gref}"


class GitClone(MirrorWork[CloneKey]):
    """Fetches the head of a ref."""

    id: ClassVar[str] = "git-clone"
    auto_cancel: ClassVar[bool] = True

    def describe(self, key: CloneKey) -> str:
        return f"clone {key}"

    def labels(self, key: CloneKey) -> Mapping[str, str]:
        return {"repo": RepositoryAddress.of(key.repository).name, "ref": key.gref}

    def request(self, key: CloneKey) -> HeadOf:
        return HeadOf(key.gref)

    async def describe_change(self, key: CloneKey, old: str, new: str) -> ChangeText | None:
        mirror = self.mirror(key).repository
        tell = partial(change_told, mirror, str(key), old, new, rewritten="a forced push")
        return await in_thread(tell)


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
    limits, depth = limits_of(options), checked_depth(options["depth"])
    access_to = access_by(options)

    def on_values(repo: str, gref: str) -> Primitive[Commit]:
        key, access = CloneKey(repo, checked_ref(gref), depth), access_to(repo)
        work = partial(GitClone, access=access, limits=limits)
        return in_mirror(work, key, gref, retry=options["retry"], schedule=schedule)

    default = "clone {repo}" if gref == "HEAD" else "clone {repo} {gref}"
    return operation_component(options["label"], default, on_values, repo, gref)
