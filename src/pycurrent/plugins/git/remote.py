"""Bringing a commit, and its submodules, to our copies."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from pycurrent.engine import CommandFailed, Job
from pycurrent.engine.tasks import regardless
from pycurrent.errors import UsageError
from pycurrent.plugins.git.cause import Cause, Kind
from pycurrent.plugins.git.command import GitFailed, run_git, run_git_with_progress
from pycurrent.plugins.git.copies import Copies
from pycurrent.plugins.git.copy import KEEP, Copy
from pycurrent.plugins.git.credentials import Access, Settings
from pycurrent.plugins.git.environment import GIT, outside_repositories
from pycurrent.plugins.git.gitmodules import (
    MOST_NESTED,
    Submodule,
    submodules_of,
    too_nested,
)
from pycurrent.term import Failure

_FOUND = "refs/pycurrent/found"
# So that checkouts know their branches and tags.
_ALL = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_STALLED = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=300")


@dataclass(frozen=True, slots=True)
class HeadOf:
    """The commit that a ref has over there now."""

    ref: str


@dataclass(frozen=True, slots=True)
class Exactly:
    """One commit, and a ref on which it was seen."""

    hash: str
    seen_on: str


Wanted = HeadOf | Exactly


@dataclass(frozen=True, slots=True)
class Remote:
    """The way of a job to the repositories that it may get at."""

    job: Job
    copies: Copies
    access: Access

    async def bring(self, copy: Copy, wanted: Wanted) -> str:
        """Have a commit, and its submodules, in our copies; gives its hash. Raises Failure."""
        hash = await self._bring(copy, wanted)
        await self._bring_submodules(copy, hash, set(), 0)
        return hash

    async def _bring_submodules(
        self, copy: Copy, hash: str, brought: set[tuple[Path, str]], depth: int
    ) -> None:
        """Those of a commit, and theirs; but for what was brought before, which may be much."""
        for submodule in await asyncio.to_thread(submodules_of, copy.repository, hash):
            try:
                if depth >= MOST_NESTED:
                    raise too_nested()
                theirs = _copy_of(copy, submodule)
                if (theirs.repository, submodule.hash) in brought:
                    continue
                brought.add((theirs.repository, submodule.hash))
                await self._bring(theirs, Exactly(submodule.hash, "HEAD"))
                await self._bring_submodules(theirs, submodule.hash, brought, depth + 1)
            except Failure as failure:
                why = f"submodule {submodule.path}: {failure}"
                raise Failure(why, kind=failure.kind) from None

    async def _bring(self, copy: Copy, wanted: Wanted) -> str:
        async with self.copies.hold(self.job, copy):
            if isinstance(wanted, Exactly) and await asyncio.to_thread(copy.holds, wanted.hash):
                self.job.log(f"{copy.address}: commit {wanted.hash} is here already")
                return wanted.hash
            async with self.access.settings(self.job, copy.address) as settings:
                try:
                    return await Fetching(self.job, settings).bring(copy, wanted)
                except GitFailed as failed:
                    raise _failure(f"{copy.address}: ", failed.cause) from None


def _failure(of: str, cause: Cause) -> Failure:
    return Failure(f"{of}{cause.text}", kind=cause.failure_kind)


def _why_no_head(heads: list[str]) -> str:
    if not heads:
        return "it has no ref HEAD: it is empty, as there is no commit on any branch yet"
    return f"its HEAD is on a branch that it does not have: name one by gref=, such as {heads[0]}"


def _copy_of(copy: Copy, submodule: Submodule) -> Copy:
    try:
        return copy.of_submodule(submodule.url)
    except UsageError as error:
        raise Failure(str(error)) from None


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetching to one copy, which nobody else is at work in. Raises GitFailed."""

    job: Job
    settings: Settings

    async def bring(self, copy: Copy, wanted: Wanted) -> str:
        """Have a commit in the copy, which is made where it is not, or damaged, and tidied."""
        if (copy.repository / "HEAD").exists() and not copy.is_sound:
            return await self._make_anew(copy, wanted, "a checkout has found it damaged")
        try:
            hash = await self._get_patiently(copy, wanted)
        except GitFailed as failed:
            if failed.cause.kind is not Kind.DAMAGED:
                raise
            return await self._make_anew(copy, wanted, failed.cause.text)
        if await asyncio.to_thread(copy.needs_repack):
            await self._repack(copy)
        return hash

    async def _get_patiently(self, copy: Copy, wanted: Wanted) -> str:
        """As `_get`, but once more where that may help."""
        try:
            return await self._get(copy, wanted)
        except GitFailed as failed:
            match failed.cause.kind:
                case Kind.LOCKED:
                    self.job.log(f"A killed git has left a lock: {failed.cause.text}")
                    await regardless(asyncio.to_thread(copy.tidy))
                case Kind.DISTURBED:
                    self.job.log(f"Once more, since {failed.cause.text}")
                case _:
                    raise
        return await self._get(copy, wanted)

    async def _repack(self, copy: Copy) -> None:
        """Join packs. Nothing is lost by that, and who reads one meanwhile finds the new one."""
        try:
            await self._git(copy, "repack", "--quiet", "-d", "-l", "--geometric=2")
            await self._git(copy, "pack-refs", "--all")
        except GitFailed as failed:
            self.job.log(f"The packs are left as they are: {failed.cause.text}")

    async def _get(self, copy: Copy, wanted: Wanted) -> str:
        format = "sha256" if isinstance(wanted, Exactly) and len(wanted.hash) == 64 else "sha1"
        await regardless(asyncio.to_thread(copy.make, format))
        if copy.depth is None and await asyncio.to_thread(lambda: copy.is_empty):
            await self._clone(copy)
        match wanted:
            case HeadOf(ref):
                await self._get_head(copy, ref)
                hash = await asyncio.to_thread(copy.commit_of, _FOUND)
                if hash is None:
                    raise GitFailed(Cause(Kind.OTHER, f"{ref} does not lead to a commit"))
            case Exactly(hash, seen_on):
                await self._get_exactly(copy, hash, seen_on)
            case _:
                assert_never(wanted)
        await asyncio.to_thread(copy.keep, hash)
        return hash

    async def _clone(self, copy: Copy) -> None:
        """Have all branches and tags in an empty copy. Fetching would make a file for each."""
        await asyncio.to_thread(shutil.rmtree, copy.first, ignore_errors=True)
        how = ("--progress", "--bare", "--no-local", "--template=", "--origin=origin")
        begin = [*GIT, *_STALLED, "-c", "clone.rejectShallow=false"]
        command = [*begin, "clone", *how, "--", str(copy.address), str(copy.first)]
        await run_git_with_progress(self.job, command, self.settings.env, copy.first)
        await regardless(asyncio.to_thread(copy.take_first))

    async def _get_head(self, copy: Copy, ref: str) -> None:
        try:
            await self._fetch(copy, f"+{ref}:{_FOUND}")
        except GitFailed as failed:
            if failed.cause.kind is not Kind.NO_REF or ref != "HEAD":
                raise
            command = self._command(copy, "ls-remote", "--heads", "--", str(copy.address))
            try:
                env = outside_repositories(self.settings.env)
                heads = (await self.job.check_output(command, env=env)).split()[1::2]
            except CommandFailed:
                raise failed from None
            raise GitFailed(Cause(Kind.NO_REF, _why_no_head(heads))) from None

    async def _get_exactly(self, copy: Copy, hash: str, seen_on: str) -> None:
        try:
            await self._fetch(copy, f"+{hash}:{KEEP}{hash}")
            return
        except GitFailed as failed:
            if failed.cause.kind is not Kind.NO_COMMIT:
                raise
        self.job.log(f"The server does not give {hash} by its hash: looking on {seen_on}")
        try:
            await self._fetch(copy, f"+{seen_on}:{_FOUND}")
        except GitFailed as no_ref:
            if no_ref.cause.kind is not Kind.NO_REF:
                raise
        if not await asyncio.to_thread(copy.has, hash):
            why = (
                f"there is no commit {hash} any more on {seen_on}, and it can't be had by its hash"
            )
            raise GitFailed(Cause(Kind.NO_COMMIT, why))

    async def _make_anew(self, copy: Copy, wanted: Wanted, why: str) -> str:
        """Take a new copy, with all that the old one was to keep, and then the old one's place."""
        self.job.log(f"The copy {copy.repository} is made anew: {why}")
        kept = await asyncio.to_thread(copy.kept)
        await regardless(asyncio.to_thread(copy.tidy))
        new = copy.anew()
        hash = await self._get(new, wanted)
        for other in kept:
            try:
                if not await asyncio.to_thread(new.has, other):
                    await self._get_exactly(new, other, "HEAD")
                await asyncio.to_thread(new.keep, other)
            except GitFailed as failed:
                self.job.log(f"Commit {other} of the damaged copy is lost: {failed.cause.text}")
        await regardless(asyncio.to_thread(copy.replace_by, new))
        return hash

    async def _fetch(self, copy: Copy, refspec: str) -> None:
        if copy.depth is None:
            # One that is shallow over there is so here.
            how = ["--prune", "--update-shallow", "--", str(copy.address), *_ALL, refspec]
        else:
            how = ["--no-tags", f"--depth={copy.depth}", "--", str(copy.address), refspec]
        always = ("--progress", "--no-recurse-submodules", "--no-write-fetch-head")
        try:
            await self._fetch_now(copy, *always, *how)
        except GitFailed as failed:
            if failed.cause.kind is not Kind.SHA256 or copy.kept():
                raise
            await regardless(asyncio.to_thread(copy.remove))
            await regardless(asyncio.to_thread(copy.make, "sha256"))
            await self._fetch_now(copy, *always, *how)

    async def _fetch_now(self, copy: Copy, *words: str) -> None:
        await run_git_with_progress(
            self.job, self._command(copy, "fetch", *words), self.settings.env, copy.repository
        )

    async def _git(self, copy: Copy, *words: str) -> None:
        command = self._command(copy, *words)
        await run_git(self.job, command, self.settings.env, copy=copy.repository)

    def _command(self, copy: Copy, *words: str) -> list[str]:
        return [*GIT, *_STALLED, f"--git-dir={copy.repository}", *words]
