"""Submodules of a checkout, from the mirrors that the repository has of them where it can be.

`git submodule update` does the work. For a submodule that the repository has at the commit that
is wanted it finds a clone made already, which shares the objects of that mirror; so it fetches
nothing, and is not allowed more than usual: a submodule's own address is an outsider's word.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pycurrent.engine import Job
from pycurrent.errors import UsageError
from pycurrent.plugins.git.command import run_git
from pycurrent.plugins.git.environment import ENGLISH, GIT, as_environment, has_commit
from pycurrent.plugins.git.gitmodules import (
    MOST_NESTED,
    Submodule,
    settings,
    submodules_of,
    too_nested,
)
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.plugins.git.sharing import shared_clone
from pycurrent.term import Failure


@dataclass(frozen=True, slots=True)
class Checkout:
    """Files of a commit, and where the clone that they belong to is kept."""

    folder: Path
    git_dir: Path
    depth: int = 0
    """Of how many others it is a submodule."""

    def below(self, submodule: Submodule) -> Checkout:
        """The checkout of a submodule. Raises Failure if its path leads through a link."""
        folder = self.folder / submodule.path
        if folder.resolve() != self.folder.resolve() / submodule.path:
            raise Failure(f"submodule {submodule.path} would be behind a symbolic link")
        return Checkout(folder, submodule.clone_in(self.git_dir), self.depth + 1)


async def check_out_submodules(job: Job, repository: Path, checkout: Checkout) -> None:
    """Fill in the submodules of a checkout of a commit of the repository, and theirs.

    Raises GitFailed, or Failure, if one can't be had.
    """
    if not (checkout.folder / ".gitmodules").exists():
        return
    if checkout.depth >= MOST_NESTED:
        raise too_nested()
    submodules = await asyncio.to_thread(submodules_of, checkout.git_dir, "HEAD")
    mirrors = await asyncio.to_thread(_mirrors, repository, submodules)
    await _take(job, checkout, mirrors)
    for submodule, mirror in mirrors.items():
        await check_out_submodules(job, mirror, checkout.below(submodule))
    await _fetch(job, repository, checkout, [one for one in submodules if one not in mirrors])


async def _take(job: Job, checkout: Checkout, mirrors: Mapping[Submodule, Path]) -> None:
    """Check out submodules from mirrors that have their commits."""
    steps = []
    for submodule, mirror in mirrors.items():
        # Made elsewhere and moved to where git looks for it, so that it is git that follows
        # the submodule's path.
        made = checkout.git_dir / "new-submodule"
        place = checkout.below(submodule).git_dir
        steps += [
            shared_clone(mirror, made),
            shlex.join(["mkdir", "-p", str(place.parent)]),
            shlex.join(["mv", str(made / ".git"), str(place)]),
            shlex.join(["rmdir", str(made)]),
        ]
    if steps:
        # One that git would have to get after all is not what was found here.
        update = shlex.join(_update(checkout, list(mirrors), "--no-fetch"))
        steps.append(f"GIT_ALLOW_PROTOCOL=none {update}")
        line = " && ".join(steps)
        await run_git(job, ["sh", "-c", line], ENGLISH, show=line)


async def _fetch(
    job: Job, repository: Path, checkout: Checkout, submodules: list[Submodule]
) -> None:
    """Get submodules, and theirs, from where the repository's user would."""
    if not submodules:
        return
    if Mirror.around(repository) is not None:
        # Its address is an outsider's word, and who may fetch from there is not known here.
        paths = ", ".join(submodule.path for submodule in submodules)
        raise Failure(f"our mirrors don't have submodule {paths}: rebuild the job that fetched it")
    command = _update(checkout, submodules, "--recursive")
    addresses = await asyncio.to_thread(_addresses, repository, submodules)
    await run_git(job, command, {**ENGLISH, **as_environment(addresses.items())})


def _update(checkout: Checkout, submodules: list[Submodule], option: str) -> list[str]:
    paths = [submodule.path for submodule in submodules]
    # Not patterns: a path is one, whatever it looks like.
    git = [*GIT, "--literal-pathspecs", "-C", str(checkout.folder)]
    return [*git, "submodule", "update", "--init", option, "--", *paths]


def _mirrors(repository: Path, submodules: list[Submodule]) -> dict[Submodule, Path]:
    """Where the repository has the commit of a submodule itself."""
    return {
        submodule: mirror
        for submodule in submodules
        for mirror in _places(repository, submodule)
        if has_commit(mirror, submodule.hash)
    }


def _places(repository: Path, submodule: Submodule) -> Iterator[Path]:
    """Where a mirror may be: each linked work tree has its own, and so has our git folder."""
    ours = Mirror.around(repository)
    if ours is not None:
        with suppress(UsageError):
            yield ours.of_submodule(submodule.url).repository
        return
    for git_dir in (repository, *repository.glob("worktrees/*")):
        clone = submodule.clone_in(git_dir)
        if (clone / "HEAD").is_file():
            yield clone


def _addresses(repository: Path, submodules: list[Submodule]) -> dict[str, str]:
    """Settings that the user has made of where the submodules are, and relative to what."""
    wanted = {f"submodule.{submodule.name}.url" for submodule in submodules}
    wanted.add("remote.origin.url")
    known = settings(
        f"--git-dir={repository}", "config", "-z", "--get-regexp", r"^(submodule|remote)\..*\.url$"
    )
    # Without a remote a repository is its own: relative addresses are relative to its folder.
    own = repository.parent if repository.name == ".git" else repository
    found = {name: value for name, value in known if name in wanted}
    return {"remote.origin.url": str(own), **found}
