"""Checkouts for many jobs at once: ours, and bare git in the same run.

In memory, as a disk decides too much: an ext4 without a journal does not use the inodes of removed
files for some minutes, and each new file looks through them all, so that a second round takes ten
times as long as the first, git's and ours.
"""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.figures import MIDDLE, SMALL, Benchmark, Figure, NotMeasured, Samples
from benchmarks.places import Place, scratch

from pycurrent import Builder, Current, Engine, Job, Level, Ok, all, component

CHECKOUTS = 20


def checkouts(n: int) -> Samples:
    """Check out a commit of n files for 20 jobs at once, each of which only looks at one file."""
    try:
        from pycurrent.plugins import git
    except ImportError as error:
        raise NotMeasured(str(error)) from error
    with scratch(Place.MEMORY) as folder:
        repository = folder / "repository"
        _commit_files(repository, n)

        class Look(Builder[git.Commit, str]):
            id = "look"

            async def build(self, job: Job, key: git.Commit) -> str:
                await job.start(level=Level.HARMLESS)
                async with git.with_checkout(job, key) as checkout:
                    return (checkout / "0" / "0").read_text()

        bare = _by_git(repository, folder / "bare")
        head = git.Local(repository).head_commit()
        looks = [type(f"Look{i}", (Look,), {"id": f"look-{i}"})() for i in range(CHECKOUTS)]
        pipeline = all([component("look", look.get, head) for look in looks])
        took, end = asyncio.run(_by_us(pipeline, folder / "state"))
    return {
        "checkouts": took,
        "checkouts-close": end,
        "checkouts-git": bare,
        "checkouts-over-git": took / bare,
    }


async def _by_us(pipeline: Current[Any], state_dir: Path) -> tuple[float, float]:
    """Seconds from nothing to all results, and for the end of the engine."""
    before = perf_counter()
    async with Engine(lambda: pipeline, state_dir=state_dir) as engine:
        await engine.opened.settled()
        assert isinstance(engine.output, Ok), engine.output
        done = perf_counter()
    return done - before, perf_counter() - done


def _by_git(repository: Path, folder: Path) -> float:
    """Seconds that git alone takes for as many checkouts at once, none of which is removed."""
    folder.mkdir()
    before = perf_counter()
    running = [
        # In sessions of their own, as ours: the kernel shares a busy processor between sessions.
        subprocess.Popen(["sh", "-c", command], start_new_session=True)
        for command in (_checkout(repository, folder / str(i)) for i in range(CHECKOUTS))
    ]
    ended = [process.wait() for process in running]
    if any(ended):
        raise NotMeasured("git has failed")
    return perf_counter() - before


def _checkout(repository: Path, folder: Path) -> str:
    clone = ["git", "clone", "-q", "--shared", "--no-checkout", str(repository), str(folder)]
    check_out = ["git", "-C", str(folder), "checkout", "-q", "--detach", "HEAD"]
    return f"{shlex.join(clone)} && {shlex.join(check_out)}"


def _commit_files(repository: Path, n: int) -> None:
    """Make a repository with one commit of n files, a hundred in a folder, packed as clones are."""
    for number in range(n):
        file = repository / str(number // 100) / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n")
    # By itself git would pack the repository behind its commands, while they are measured.
    settings = ["-c", "gc.auto=0", "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    git = ["git", "-C", str(repository), *settings]
    for command in ("init -q", "add .", "commit -q -m files", "repack -q -a -d"):
        subprocess.run([*git, *command.split()], check=True)


BENCHMARKS = (
    Benchmark(
        "checkouts",
        checkouts,
        (
            Figure(
                "checkouts",
                f"{CHECKOUTS} checkouts of n files at once, in memory",
                "s",
                {MIDDLE: 3},
            ),
            Figure("checkouts-close", "  the end of the engine just after", "s", {MIDDLE: 1.5}),
            Figure("checkouts-git", "  git alone, in this run", "s"),
            Figure("checkouts-over-git", "    pycurrent over git", "times", {MIDDLE: 1.2}),
        ),
        sizes=(SMALL, MIDDLE),
        runs={SMALL: 3, MIDDLE: 3},
    ),
)
