"""Submodules of a checkout, from the copies that the repository has of them where it can be.

`git submodule update` does the work. For a submodule that the repository has at the commit that
is wanted it finds a clone made already, which shares the objects of that copy; so it fetches
nothing, and is not allowed more than usual: a submodule's own address is an outsider's word.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pycurrent.engine import Job
from pycurrent.plugins.git.environment import (
    GIT,
    NEVER_ASK,
    git_now,
    has_commit,
    outside_repositories,
    shared_clone,
)

GIT_LINK = "160000"


@dataclass(frozen=True, slots=True)
class Submodule:
    """One that a commit has."""

    name: str
    path: str
    hash: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """Files of a commit, and where the clone that they belong to is kept."""

    folder: Path
    git_dir: Path

    def clone_of(self, submodule: Submodule) -> Path:
        """Where git looks for a submodule's clone."""
        return self.git_dir / "modules" / submodule.name


async def check_out_submodules(job: Job, repository: Path, checkout: Checkout) -> None:
    """Fill in the submodules of a checkout of a commit of the repository, and theirs.

    Raises CommandFailed if one can't be had.
    """
    if not (checkout.folder / ".gitmodules").exists():
        return
    submodules = await asyncio.to_thread(_submodules, checkout)
    copies = await asyncio.to_thread(_copies, repository, submodules)
    await _take(job, checkout, copies)
    for submodule, copy in copies.items():
        inner = Checkout(checkout.folder / submodule.path, checkout.clone_of(submodule))
        await check_out_submodules(job, copy, inner)
    await _fetch(job, repository, checkout, [one for one in submodules if one not in copies])


async def _take(job: Job, checkout: Checkout, copies: Mapping[Submodule, Path]) -> None:
    """Check out submodules from copies that have their commits."""
    steps = []
    for submodule, copy in copies.items():
        # Made elsewhere and moved to where git looks for it, so that it is git that follows
        # the submodule's path.
        made = checkout.git_dir / "new-submodule"
        place = checkout.clone_of(submodule)
        steps += [
            shared_clone(copy, made),
            ["mkdir", "-p", str(place.parent)],
            ["mv", str(made / ".git"), str(place)],
            ["rmdir", str(made)],
        ]
    if steps:
        steps.append(_update(checkout, list(copies), "--no-fetch"))
        line = " && ".join(map(shlex.join, steps))
        await job.exec(["sh", "-c", line], env=outside_repositories(NEVER_ASK), show=line)


async def _fetch(
    job: Job, repository: Path, checkout: Checkout, submodules: list[Submodule]
) -> None:
    """Get submodules, and theirs, from where the repository's user would."""
    if not submodules:
        return
    command = _update(checkout, submodules, "--recursive")
    addresses = await asyncio.to_thread(_addresses, repository, submodules)
    env = outside_repositories({**NEVER_ASK, **_as_environment(addresses)})
    await job.exec(command, env=env)


def _update(checkout: Checkout, submodules: list[Submodule], option: str) -> list[str]:
    paths = [submodule.path for submodule in submodules]
    return [*GIT, "-C", str(checkout.folder), "submodule", "update", "--init", option, "--", *paths]


def _as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings for one git command. As options they could not have any name."""
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = name
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def _submodules(checkout: Checkout) -> list[Submodule]:
    names = {
        path: name.removeprefix("submodule.").removesuffix(".path")
        for name, path in _settings(
            f"--git-dir={checkout.git_dir}",
            *("config", "--blob=HEAD:.gitmodules", "-z"),
            *("--get-regexp", r"^submodule\..*\.path$"),
        )
    }
    if not names:
        return []
    listed = git_now(
        *("--literal-pathspecs", "-C", str(checkout.folder)),
        *("ls-files", "--stage", "-z", "--", *names),
    )
    found = []
    for line in listed.stdout.split("\0")[:-1]:
        about, path = line.split("\t", 1)
        mode, hash, _ = about.split(" ")
        if mode == GIT_LINK and path in names:
            found.append(Submodule(names[path], path, hash))
    return found


def _copies(repository: Path, submodules: list[Submodule]) -> dict[Submodule, Path]:
    """Where the repository has the commit of a submodule itself."""
    return {
        submodule: copy
        for submodule in submodules
        for copy in _places(repository, submodule.name)
        if has_commit(copy, submodule.hash)
    }


def _places(repository: Path, name: str) -> Iterator[Path]:
    """Where a copy may be: each linked work tree has its own."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        return
    for modules in (repository / "modules", *repository.glob("worktrees/*/modules")):
        if (modules / name / "HEAD").is_file():
            yield modules / name


def _addresses(repository: Path, submodules: list[Submodule]) -> dict[str, str]:
    """Settings that the user has made of where the submodules are, and relative to what."""
    wanted = {f"submodule.{submodule.name}.url" for submodule in submodules}
    wanted.add("remote.origin.url")
    settings = _settings(
        f"--git-dir={repository}", "config", "-z", "--get-regexp", r"^(submodule|remote)\..*\.url$"
    )
    return {name: value for name, value in settings if name in wanted}


def _settings(*command: str) -> list[tuple[str, str]]:
    entries = git_now(*command).stdout.split("\0")[:-1]
    return [(name, value) for name, _, value in (entry.partition("\n") for entry in entries)]
