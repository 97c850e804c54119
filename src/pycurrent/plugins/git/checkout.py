"""A clean copy of a commit's files for a job.

It is a clone that shares the objects of the repository, which costs about 15 ms and no copies.
A linked work tree (`git worktree`) would be as cheap, but is an entry in the user's repository
that stays when the engine is killed, and what a job does there to branches, tags, stashes and
the configuration is done to the user's. Here the repository is only read, so jobs can't get in
each other's way, and what a killed engine leaves is a temporary folder.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pycurrent.engine import CommandFailed, Job
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.environment import NEVER_ASK, has_commit, outside_repositories
from pycurrent.plugins.git.submodules import check_out_submodules
from pycurrent.term import Failure

# The user's hooks are for the user's own checkouts.
GIT = ("git", "-c", "advice.detachedHead=false", "-c", "core.hooksPath=/dev/null")


@asynccontextmanager
async def with_checkout(job: Job, commit: Commit) -> AsyncIterator[Path]:
    """A folder with the files of the commit and its submodules, for the block.

    It is a repository of its own, with HEAD detached, the branches of the original under
    `refs/remotes/origin`, and its tags. Raises Failure if the commit is gone, and
    CommandFailed.
    """
    async with job.tempdir("checkout-") as tmp:
        folder = tmp / commit.name
        job.log(f"Checking out {commit}. To get the same by hand: {_by_hand(commit)}")
        await _check_out(job, commit, folder)
        await check_out_submodules(job, commit.repository, folder)
        yield folder


async def _check_out(job: Job, commit: Commit, folder: Path) -> None:
    clone = [
        *GIT,
        *("clone", "--quiet", "--shared", "--no-checkout", "--template="),
        *("--", str(commit.repository), str(folder)),
    ]
    check_out = [*GIT, "-C", str(folder), "checkout", "--detach", commit.hash]
    try:
        await job.exec(outside_repositories(clone), env=NEVER_ASK, show=clone)
        await job.exec(outside_repositories(check_out), env=NEVER_ASK, show=check_out)
    except CommandFailed:
        if not await asyncio.to_thread(has_commit, commit.repository, commit.hash):
            raise Failure(f"there is no commit {commit.hash} in {commit.repository}") from None
        raise


def _by_hand(commit: Commit) -> str:
    name = shlex.quote(commit.name)
    return (
        f"git clone {shlex.quote(str(commit.repository))} {name}"
        f" && git -C {name} checkout --detach {commit.hash}"
    )
