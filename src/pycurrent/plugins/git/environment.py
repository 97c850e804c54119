"""Git commands that work on the given repository only.

A program that git starts, such as a hook, has the repository in its environment: every git command
would use that one, whatever folder it runs in. An engine may be such a program.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

CHOOSE_A_REPOSITORY = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""The variables that `git rev-parse --local-env-vars` names, and the namespace."""

# Nobody is there to answer a prompt.
NEVER_ASK: Mapping[str, str] = MappingProxyType({"GIT_TERMINAL_PROMPT": "0"})

# Diagnoses read the output of git in English.
ENGLISH: Mapping[str, str] = MappingProxyType({**NEVER_ASK, "LC_ALL": "C.UTF-8"})


def outside_repositories(env: Mapping[str, str] = MappingProxyType({})) -> dict[str, str | None]:
    """Return the `env` of a job's command that must not find the engine's own repository.

    It has all of `env`, and removes the variables of the engine's environment that name a
    repository.
    """
    return {**dict.fromkeys(CHOOSE_A_REPOSITORY), **env}


def engines_outside_repositories(env: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a command that the engine runs itself, likewise."""
    environ = {name: value for name, value in os.environ.items() if name not in CHOOSE_A_REPOSITORY}
    return {**environ, **env}


GIT = (
    *("git", "-c", "advice.detachedHead=false"),
    # The user's hooks are for the user's own checkouts, not for ours.
    *("-c", "core.hooksPath=/dev/null"),
    # Refuse names that other systems take for `.git`: the folder may be mounted there.
    *("-c", "core.protectNTFS=true", "-c", "core.protectHFS=true"),
)
"""The beginning of commands that change something: outsiders and hooks can't interfere."""


def as_environment(settings: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return settings for one git command, which override all others. Any name is possible."""
    pairs = list(settings)
    env = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (name, value) in enumerate(pairs):
        env[f"GIT_CONFIG_KEY_{number}"] = name
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def git_now(
    *args: str, settings: Iterable[tuple[str, str]] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a git command that takes some milliseconds. Blocks.

    Raises FileNotFoundError if git is not on the PATH.
    """
    return subprocess.run(
        [*GIT, *args],
        env=engines_outside_repositories({**NEVER_ASK, **as_environment(settings)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="surrogateescape",
    )


def has_commit(repository: Path, hash: str) -> bool:
    """True if the repository has the commit. Blocks for some milliseconds."""
    return has_object(repository, f"{hash}^{{commit}}")


def has_object(repository: Path, hash: str) -> bool:
    """True if the repository has the object. Blocks for some milliseconds."""
    # The work tree that a submodule's repository names may be gone.
    places = (f"--git-dir={repository}", f"--work-tree={repository}")
    return not git_now(*places, "cat-file", "-e", hash).returncode
