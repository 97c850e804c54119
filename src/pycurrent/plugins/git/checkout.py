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
from pycurrent.plugins.git.by_hand import from_elsewhere, from_here, indexing, part
from pycurrent.plugins.git.command import GitFailed, run_git
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.diagnosis import Diagnosis, Fault
from pycurrent.plugins.git.environment import ENGLISH, GIT, git_now, has_commit, has_object
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.plugins.git.sharing import shared_clone, sharing
from pycurrent.plugins.git.submodules import Checkout, check_out_submodules
from pycurrent.plugins.git.subtree import SUBMODULE, Source, Subtree
from pycurrent.term import Failure

_SHA256 = 64
_ALONE = """\
find "$1/.git" -path '*/objects/info/alternates' | while read -r shared; do
    GIT_DIR=${shared%/objects/info/alternates}
    export GIT_DIR
    packed() {
        git -c pack.threads=1 pack-objects -q --revs --delta-base-offset --non-empty "$@" \\
            "$GIT_DIR/objects/pack/pack" > "$GIT_DIR/packed"
    }
    below=
    if count=$(git rev-list --first-parent --count HEAD 2> "$GIT_DIR/packed"); then
        for step in 4096 256 16 1; do
            base=$(git rev-list --first-parent --max-count=1 --skip=$((count % step)) HEAD)
            if [ -n "$base" ] && [ "^$base" != "$below" ]; then
                printf '%s\n' "$base" ${below:+"$below"} | packed || exit
                below=^$base
            fi
        done
        echo "$below" | packed --all || exit
    else
        git repack -a -d -q || exit
    fi
    rm -f "$shared" "$GIT_DIR/packed"
done
"""
"""Has a checkout, and those of its submodules, share objects with no other repository.

The history is in several packs, so that all but the last are those of earlier commits, to the byte:
a place that was sent one of them before is not sent it again. One thread makes the same pack each
time, with the deltas that are in the original. Content without commits is in one pack.
"""


@asynccontextmanager
async def with_checkout(job: Job, commit: Source) -> AsyncIterator[Path]:
    """Yield a folder with the files of the commit and its submodules, for the block.

    The folder is a repository of its own, with HEAD detached, the branches of the original under
    `refs/remotes/origin`, and its tags. Raises Failure if the commit, or one of its submodules, is
    not available.

    Of a `Subtree` the folder has the files at its paths, and nothing else. Git knows these files
    there, but no commits, branches or tags. Raises Failure if it has a submodule.
    """
    async with job.tempdir("checkout-", here=True, keep=job.keep_failed) as tmp:
        folder = tmp / commit.name
        await _check_out(job, commit, folder)
        job.log(f"Checked out {commit}. To get the same by hand: {_by_hand(commit, folder)}")
        if isinstance(commit, Commit):
            await _check_out_submodules(job, commit, folder)
        else:
            await in_thread(_refuse_submodules, commit, folder)
        if job.place is None:
            yield folder
        else:
            async with _sent(job, folder) as there:
                yield there


@asynccontextmanager
async def _sent(job: Job, folder: Path) -> AsyncIterator[Path]:
    """The same checkout at the place where the job's commands run."""
    # It shares objects with a repository that is not there.
    await run_git(
        job, ["sh", "-c", _ALONE, "sh", str(folder)], ENGLISH, show="git pack-objects --all"
    )
    async with job.tempdir("checkout-", keep=job.keep_failed) as tmp:
        await job.send(folder, tmp / folder.name)
        yield tmp / folder.name


async def _check_out(job: Job, source: Source, folder: Path) -> None:
    # In one command: a command costs a job more time than git needs here.
    line = " && ".join(_steps(source, folder))
    try:
        await run_git(job, ["sh", "-c", line], ENGLISH, mirror=source.repository, show=line)
    except GitFailed as failed:
        raise await in_thread(_failure, source, failed.diagnosis) from None


def _steps(source: Source, folder: Path) -> list[str]:
    if isinstance(source, Commit):
        check_out = [*GIT, "-C", str(folder), "checkout", "--detach", source.hash]
        return [shared_clone(source.repository, folder), shlex.join(check_out)]
    # Not a clone: a command could tell commits with the same content apart.
    is_sha256 = len(source.entries[0].hash) == _SHA256
    empty = sharing(source.repository, folder, "sha256" if is_sha256 else "sha1")
    git = [*GIT, "-C", str(folder)]
    return [empty, *(shlex.join([*git, *words]) for words in indexing(source.entries))]


def _refuse_submodules(subtree: Subtree, folder: Path) -> None:
    listed = git_now("-C", str(folder), "ls-files", "-z", "--stage").stdout
    modules = [one.partition("\t")[2] for one in listed.split("\0") if one.startswith(SUBMODULE)]
    if modules:
        raise Failure(
            f"{subtree} has submodule {', '.join(modules)}, which git.tree does not give: "
            "use the whole commit"
        )


async def _check_out_submodules(job: Job, commit: Commit, folder: Path) -> None:
    try:
        await check_out_submodules(job, commit.repository, Checkout(folder, folder / ".git"))
    except GitFailed as failed:
        why = f"can't get the submodules of {commit}: {failed.diagnosis.text}"
        raise Failure(why, kind=failed.diagnosis.failure_kind) from None


def _failure(source: Source, diagnosis: Diagnosis) -> Failure:
    """Explain why there is no checkout, and mark the mirror if that is damaged."""
    what = f"can't check out {source}: {diagnosis.text}"
    missing = _missing(source)
    if missing is not None:
        what = f"there is no {missing} in {source.repository}"
    mirror = Mirror.around(source.repository)
    if mirror is not None and diagnosis.fault is Fault.DAMAGED:
        mirror.mark_damaged(diagnosis.text)
    if mirror is not None and (diagnosis.fault is Fault.DAMAGED or missing is not None):
        what = f"{what}: rebuild the job that fetched it"
    return Failure(what, kind=diagnosis.failure_kind)


def _missing(source: Source) -> str | None:
    if isinstance(source, Commit):
        is_here = has_commit(source.repository, source.hash)
        return None if is_here else f"commit {source.hash}"
    for entry in source.entries:
        if not has_object(source.repository, entry.hash):
            return f"{entry.path or 'tree'} with the id {entry.hash}"
    return None


def _by_hand(source: Source, folder: Path) -> str:
    mirror = Mirror.around(source.repository)
    if isinstance(source, Subtree):
        place = str(source.repository) if mirror is None else mirror.address
        return part(place, source)
    if mirror is not None:
        return from_elsewhere(mirror.address, source.hash)
    has_submodules = (folder / ".gitmodules").exists()
    return from_here(str(source.repository), source.name, source.hash, recurse=has_submodules)
