"""Clean checkouts of commits for jobs.

A checkout is a clone that shares the objects of the repository, which takes about 15 ms and does
not copy them. A linked work tree (`git worktree`) would be as cheap, but it adds an entry to the
user's repository, which stays when the engine is killed, and a job could change the user's
branches, tags, stashes and configuration. A clone only reads the repository, so jobs can't get in
each other's way, and a killed engine only leaves a temporary folder.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pycurrent.engine import Job
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.git.by_hand import from_elsewhere, from_here
from pycurrent.plugins.git.command import GitFailed, run_git
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.diagnosis import Diagnosis, Fault
from pycurrent.plugins.git.environment import ENGLISH, GIT, has_commit
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.plugins.git.sharing import shared_clone
from pycurrent.plugins.git.submodules import Checkout, check_out_submodules
from pycurrent.term import Failure


@asynccontextmanager
async def with_checkout(job: Job, commit: Commit) -> AsyncIterator[Path]:
    """Yield a folder with the files of the commit and its submodules, for the block.

    The folder is a repository of its own, with HEAD detached, the branches of the original under
    `refs/remotes/origin`, and its tags. Raises Failure if the commit, or one of its submodules, is
    not available.
    """
    async with job.tempdir("checkout-") as tmp:
        folder = tmp / commit.name
        await _check_out(job, commit, folder)
        job.log(f"Checked out {commit}. To get the same by hand: {_by_hand(commit, folder)}")
        await _check_out_submodules(job, commit, folder)
        yield folder


async def _check_out(job: Job, commit: Commit, folder: Path) -> None:
    check_out = [*GIT, "-C", str(folder), "checkout", "--detach", commit.hash]
    # In one command: a command costs a job more time than git needs here.
    both = f"{shared_clone(commit.repository, folder)} && {shlex.join(check_out)}"
    try:
        mirror = commit.repository
        await run_git(job, ["sh", "-c", both], ENGLISH, mirror=mirror, show=both)
    except GitFailed as failed:
        raise await in_thread(_failure, commit, failed.diagnosis) from None


async def _check_out_submodules(job: Job, commit: Commit, folder: Path) -> None:
    try:
        await check_out_submodules(job, commit.repository, Checkout(folder, folder / ".git"))
    except GitFailed as failed:
        why = f"can't get the submodules of {commit}: {failed.diagnosis.text}"
        raise Failure(why, kind=failed.diagnosis.failure_kind) from None


def _failure(commit: Commit, diagnosis: Diagnosis) -> Failure:
    """Explain why the commit can't be checked out, and mark its mirror if that is damaged."""
    what = f"can't check out {commit}: {diagnosis.text}"
    is_here = has_commit(commit.repository, commit.hash)
    if not is_here:
        what = f"there is no commit {commit.hash} in {commit.repository}"
    mirror = Mirror.around(commit.repository)
    if mirror is not None and diagnosis.fault is Fault.DAMAGED:
        mirror.mark_damaged(diagnosis.text)
    if mirror is not None and (diagnosis.fault is Fault.DAMAGED or not is_here):
        what = f"{what}: rebuild the job that fetched it"
    return Failure(what, kind=diagnosis.failure_kind)


def _by_hand(commit: Commit, folder: Path) -> str:
    mirror = Mirror.around(commit.repository)
    if mirror is not None:
        return from_elsewhere(mirror.address, commit.hash)
    has_submodules = (folder / ".gitmodules").exists()
    return from_here(str(commit.repository), commit.name, commit.hash, recurse=has_submodules)
