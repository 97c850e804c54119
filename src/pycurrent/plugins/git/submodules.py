"""Submodules of a checkout, taken from local mirrors or clones where possible.

`git submodule update` does the work. If a local repository has the wanted commit of a submodule, we
make a clone that shares its objects, and git finds it. So git does not fetch anything, and follows
no address of a `.gitmodules`, which is not to be trusted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pycurrent.engine import Job
from pycurrent.engine.tasks import in_thread
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
    """A folder with the files of a commit, and the git folder of its clone."""

    folder: Path
    git_dir: Path
    depth: int = 0
    """The number of checkouts that this one is nested in."""

    def below(self, submodule: Submodule) -> Checkout:
        """Return the checkout of a submodule. Raises Failure if its path leads through a link."""
        folder = self.folder / submodule.path
        if folder.resolve() != self.folder.resolve() / submodule.path:
            raise Failure(f"the path of submodule {submodule.path} leads through a symbolic link")
        return Checkout(folder, submodule.clone_in(self.git_dir), self.depth + 1)


async def check_out_submodules(job: Job, repository: Path, checkout: Checkout) -> None:
    """Check out the submodules of a checkout, and theirs. `repository` is where its commit is.

    Raises GitFailed, or Failure, if one is not available.
    """
    if not (checkout.folder / ".gitmodules").exists():
        return
    if checkout.depth >= MOST_NESTED:
        raise too_nested()
    submodules = await in_thread(submodules_of, checkout.git_dir, "HEAD")
    mirrors = await in_thread(_mirrors, repository, submodules)
    await _take(job, checkout, mirrors)
    for submodule, mirror in mirrors.items():
        await check_out_submodules(job, mirror, checkout.below(submodule))
    await _fetch(job, repository, checkout, [one for one in submodules if one not in mirrors])


async def _take(job: Job, checkout: Checkout, mirrors: Mapping[Submodule, Path]) -> None:
    """Check out submodules from local repositories that have their commits."""
    steps = []
    for submodule, mirror in mirrors.items():
        # Clone it elsewhere, and move the clone to where git looks for it, so that git itself
        # follows the submodule's path.
        made = checkout.git_dir / "new-submodule"
        place = checkout.below(submodule).git_dir
        steps += [
            shared_clone(mirror, made),
            shlex.join(["mkdir", "-p", str(place.parent)]),
            shlex.join(["mv", str(made / ".git"), str(place)]),
            shlex.join(["rmdir", str(made)]),
        ]
    if steps:
        # Git must not fetch: then a submodule is not the one that was found here.
        update = shlex.join(_update(checkout, list(mirrors), "--no-fetch"))
        steps.append(f"GIT_ALLOW_PROTOCOL=none {update}")
        line = " && ".join(steps)
        await run_git(job, ["sh", "-c", line], ENGLISH, show=line)


async def _fetch(
    job: Job, repository: Path, checkout: Checkout, submodules: list[Submodule]
) -> None:
    """Fetch submodules, and theirs, from the addresses that the repository's user would use."""
    if not submodules:
        return
    if Mirror.around(repository) is not None:
        # Its address is not trusted, and we don't know here which credentials are for it.
        paths = ", ".join(submodule.path for submodule in submodules)
        raise Failure(f"our mirrors don't have submodule {paths}: rebuild the job that fetched it")
    command = _update(checkout, submodules, "--recursive")
    addresses = await in_thread(_addresses, repository, submodules)
    await run_git(job, command, {**ENGLISH, **as_environment(addresses.items())})


def _update(checkout: Checkout, submodules: list[Submodule], option: str) -> list[str]:
    paths = [submodule.path for submodule in submodules]
    # Paths are taken literally, even if they look like patterns.
    git = [*GIT, "--literal-pathspecs", "-C", str(checkout.folder)]
    return [*git, "submodule", "update", "--init", option, "--", *paths]


def _mirrors(repository: Path, submodules: list[Submodule]) -> dict[Submodule, Path]:
    """Find the local repositories that have the commits of the submodules."""
    return {
        submodule: mirror
        for submodule in submodules
        for mirror in _places(repository, submodule)
        if has_commit(mirror, submodule.hash)
    }


def _places(repository: Path, submodule: Submodule) -> Iterator[Path]:
    """The places of local clones: each linked work tree has its own, and so do our mirrors."""
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
    """The user's own settings for the addresses of the submodules."""
    wanted = {f"submodule.{submodule.name}.url" for submodule in submodules}
    wanted.add("remote.origin.url")
    known = settings(
        f"--git-dir={repository}", "config", "-z", "--get-regexp", r"^(submodule|remote)\..*\.url$"
    )
    # Without a remote, relative addresses are relative to the repository's own folder.
    own = repository.parent if repository.name == ".git" else repository
    found = {name: value for name, value in known if name in wanted}
    return {"remote.origin.url": str(own), **found}
