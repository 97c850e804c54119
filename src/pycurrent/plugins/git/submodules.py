"""Submodules of a checkout, from the copies that the repository has of them where it can be.

`git submodule update` does the work; it is told to take those which the repository has at the
commits that are wanted from there, objects shared. Only for these, whose place we know, may it
clone from a path: a submodule's own address is an outsider's word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pycurrent.engine import Job
from pycurrent.plugins.git.environment import NEVER_ASK, git_now, has_commit, outside_repositories

GIT_LINK = "160000"


@dataclass(frozen=True, slots=True)
class Submodule:
    """One that a commit has."""

    name: str
    path: str
    hash: str


async def check_out_submodules(job: Job, repository: Path, checkout: Path) -> None:
    """Fill in the submodules of a checkout of a commit of the repository, and theirs.

    Raises CommandFailed if one can't be had.
    """
    if not (checkout / ".gitmodules").exists():
        return
    submodules = await asyncio.to_thread(_submodules, checkout)
    copies = await asyncio.to_thread(_copies, repository, submodules)
    here = {submodule: copies[submodule] for submodule in submodules if submodule in copies}
    await _update(
        job,
        checkout,
        list(here),
        {
            "protocol.file.allow": "always",
            "submodule.alternateLocation": "superproject",
            "submodule.alternateErrorStrategy": "info",
            **{f"submodule.{one.name}.url": str(copy) for one, copy in here.items()},
        },
    )
    for submodule, copy in here.items():
        await check_out_submodules(job, copy, checkout / submodule.path)
    elsewhere = [submodule for submodule in submodules if submodule not in copies]
    addresses = await asyncio.to_thread(_addresses, repository, elsewhere)
    await _update(job, checkout, elsewhere, addresses, "--recursive")


async def _update(
    job: Job,
    checkout: Path,
    submodules: list[Submodule],
    settings: Mapping[str, str],
    *options: str,
) -> None:
    if not submodules:
        return
    paths = [submodule.path for submodule in submodules]
    command = ["git", "-C", str(checkout), "submodule", "update", "--init", *options, "--", *paths]
    env = {**NEVER_ASK, **_as_environment(settings)}
    await job.exec(outside_repositories(command, env), env=env, show=command)


def _as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings for one git command. As options they could not have any name."""
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = name
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def _submodules(checkout: Path) -> list[Submodule]:
    names = {
        path: name.removeprefix("submodule.").removesuffix(".path")
        for name, path in _settings(
            f"--git-dir={checkout / '.git'}",
            *("config", "--blob=HEAD:.gitmodules", "-z"),
            *("--get-regexp", r"^submodule\..*\.path$"),
        )
    }
    if not names:
        return []
    listed = git_now(
        *("--literal-pathspecs", "-C", str(checkout)),
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
    if ".." in PurePosixPath(name).parts:
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
