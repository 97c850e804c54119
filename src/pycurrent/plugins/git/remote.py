"""Fetching a commit, and its submodules, into our mirrors."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from pycurrent.engine import CommandFailed, Job
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.plugins.git.command import GitFailed, run_git, run_git_with_progress
from pycurrent.plugins.git.credentials import RepositoryAccess, Settings
from pycurrent.plugins.git.diagnosis import Diagnosis, Fault
from pycurrent.plugins.git.environment import GIT, outside_repositories
from pycurrent.plugins.git.gitmodules import (
    MOST_NESTED,
    Submodule,
    submodules_of,
    too_nested,
)
from pycurrent.plugins.git.mirror import KEEP, Mirror
from pycurrent.plugins.git.mirrors import Mirrors
from pycurrent.term import Failure, Untrusted

_FOUND = "refs/pycurrent/found"
# So that checkouts know their branches and tags.
_ALL = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_STALLED = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=300")


@dataclass(frozen=True, slots=True)
class HeadOf:
    """The commit that a remote ref leads to now."""

    ref: str


@dataclass(frozen=True, slots=True)
class Exactly:
    """One commit, and a ref on which it was seen."""

    hash: str
    seen_on: str


Request = HeadOf | Exactly


@dataclass(frozen=True, slots=True)
class GitRemote:
    """Fetches for a job, from the repositories that its credentials open."""

    job: Job
    mirrors: Mirrors
    access: RepositoryAccess

    async def bring(self, mirror: Mirror, wanted: Request) -> str:
        """Fetch a commit and its submodules into our mirrors; return its hash. Raises Failure."""
        hash = await self._bring(mirror, wanted)
        await self._bring_submodules(mirror, hash, set(), 0)
        return hash

    async def _bring_submodules(
        self, mirror: Mirror, hash: str, brought: set[tuple[Path, str]], depth: int
    ) -> None:
        """Fetch the submodules of a commit, and theirs, except those in `brought`."""
        for submodule in await in_thread(submodules_of, mirror.repository, hash):
            try:
                if depth >= MOST_NESTED:
                    raise too_nested()
                theirs = _mirror_of(mirror, submodule)
                if (theirs.repository, submodule.hash) in brought:
                    continue
                brought.add((theirs.repository, submodule.hash))
                remote = self._for_submodules
                await remote._bring(theirs, Exactly(submodule.hash, "HEAD"))
                await remote._bring_submodules(theirs, submodule.hash, brought, depth + 1)
            except Failure as failure:
                why = f"submodule {submodule.path}: {failure}"
                raise Failure(why, kind=failure.kind) from None

    async def _may_be_here(self, mirror: Mirror, hash: str) -> bool:
        # A stranger may know the hash of a commit without being allowed to read it.
        return not self.access.is_strangers and await in_thread(mirror.holds, hash)

    @property
    def _for_submodules(self) -> GitRemote:
        """The same for addresses that the commit names: a stranger's get no credentials."""
        is_ours = not isinstance(self.job.trust, Untrusted)
        return self if is_ours else replace(self, access=self.access.of_stranger)

    async def _bring(self, mirror: Mirror, wanted: Request) -> str:
        async with self.mirrors.hold(self.job, mirror):
            if isinstance(wanted, Exactly) and await self._may_be_here(mirror, wanted.hash):
                self.job.log(f"{mirror.address}: commit {wanted.hash} is here already")
                return wanted.hash
            async with self.access.settings(self.job, mirror.address) as settings:
                try:
                    return await Fetching(self.job, settings).bring(mirror, wanted)
                except GitFailed as failed:
                    raise _failure(f"{mirror.address}: ", failed.diagnosis) from None


def _failure(of: str, diagnosis: Diagnosis) -> Failure:
    return Failure(f"{of}{diagnosis.text}", kind=diagnosis.failure_kind)


def _why_no_head(heads: list[str]) -> str:
    if not heads:
        return "it has no ref HEAD, as no branch has a commit yet: push one"
    return f"its HEAD is on a branch that it does not have: name one by gref=, such as {heads[0]}"


def _mirror_of(mirror: Mirror, submodule: Submodule) -> Mirror:
    try:
        return mirror.of_submodule(submodule.url)
    except UsageError as error:
        raise Failure(str(error)) from None


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetches into one mirror, which the job holds. Its methods raise GitFailed."""

    job: Job
    settings: Settings

    async def bring(self, mirror: Mirror, wanted: Request) -> str:
        """Fetch a commit into the mirror, which is created if it is missing or damaged."""
        if (mirror.repository / "HEAD").exists() and not mirror.is_sound:
            return await self._replace(mirror, wanted, "a checkout has found it damaged")
        try:
            hash = await self._get_with_retry(mirror, wanted)
        except GitFailed as failed:
            if failed.diagnosis.fault is not Fault.DAMAGED:
                raise
            return await self._replace(mirror, wanted, failed.diagnosis.text)
        if await in_thread(mirror.needs_repack):
            await self._repack(mirror)
        return hash

    async def _get_with_retry(self, mirror: Mirror, wanted: Request) -> str:
        """Fetch as `_get` does, and once more if that may help."""
        try:
            return await self._get(mirror, wanted)
        except GitFailed as failed:
            match failed.diagnosis.fault:
                case Fault.LOCKED:
                    self.job.log(f"A killed git has left a lock: {failed.diagnosis.text}")
                    await in_thread(mirror.tidy)
                case Fault.DISTURBED:
                    self.job.log(f"Once more, since {failed.diagnosis.text}")
                case _:
                    raise
        return await self._get(mirror, wanted)

    async def _repack(self, mirror: Mirror) -> None:
        """Join packs. Git commands that read one meanwhile find the new one."""
        try:
            await self._git(mirror, "repack", "--quiet", "-d", "-l", "--geometric=2")
            await self._git(mirror, "pack-refs", "--all")
        except GitFailed as failed:
            self.job.log(f"The packs are left as they are: {failed.diagnosis.text}")

    async def _get(self, mirror: Mirror, wanted: Request) -> str:
        format = "sha256" if isinstance(wanted, Exactly) and len(wanted.hash) == 64 else "sha1"
        await in_thread(mirror.make, format)
        if mirror.depth is None and await in_thread(lambda: mirror.is_empty):
            await self._clone(mirror)
        match wanted:
            case HeadOf(ref):
                await self._get_head(mirror, ref)
                hash = await in_thread(mirror.commit_of, _FOUND)
                if hash is None:
                    raise GitFailed(Diagnosis(Fault.OTHER, f"{ref} does not lead to a commit"))
            case Exactly(hash, seen_on):
                await self._get_exactly(mirror, hash, seen_on)
            case _:
                assert_never(wanted)
        await in_thread(mirror.keep, hash)
        return hash

    async def _clone(self, mirror: Mirror) -> None:
        """Fill an empty mirror with all branches and tags. A fetch would make a file for each."""
        await in_thread(shutil.rmtree, mirror.first, ignore_errors=True)
        how = ("--progress", "--bare", "--no-local", "--template=", "--origin=origin")
        begin = [*GIT, *_STALLED, "-c", "clone.rejectShallow=false"]
        command = [*begin, "clone", *how, "--", str(mirror.address), str(mirror.first)]
        await run_git_with_progress(self.job, command, self.settings.env, mirror.first)
        await in_thread(mirror.take_first)

    async def _get_head(self, mirror: Mirror, ref: str) -> None:
        try:
            await self._fetch(mirror, f"+{ref}:{_FOUND}")
        except GitFailed as failed:
            if failed.diagnosis.fault is not Fault.NO_REF or ref != "HEAD":
                raise
            command = self._command(mirror, "ls-remote", "--heads", "--", str(mirror.address))
            try:
                env = outside_repositories(self.settings.env)
                heads = (await self.job.check_output(command, env=env)).split()[1::2]
            except CommandFailed:
                raise failed from None
            raise GitFailed(Diagnosis(Fault.NO_REF, _why_no_head(heads))) from None

    async def _get_exactly(self, mirror: Mirror, hash: str, seen_on: str) -> None:
        try:
            await self._fetch(mirror, f"+{hash}:{KEEP}{hash}")
            return
        except GitFailed as failed:
            if failed.diagnosis.fault is not Fault.NO_COMMIT:
                raise
        self.job.log(f"The server does not give {hash} by its hash: looking on {seen_on}")
        try:
            await self._fetch(mirror, f"+{seen_on}:{_FOUND}")
        except GitFailed as no_ref:
            if no_ref.diagnosis.fault is not Fault.NO_REF:
                raise
        if not await in_thread(mirror.has, hash):
            why = f"commit {hash} is no longer on {seen_on}, and can't be fetched by its hash"
            raise GitFailed(Diagnosis(Fault.NO_COMMIT, why))

    async def _replace(self, mirror: Mirror, wanted: Request, why: str) -> str:
        """Replace the mirror by a new one, with all the commits that the old one was to keep."""
        self.job.log(f"Replacing the mirror {mirror.repository} by a new one: {why}")
        kept = await in_thread(mirror.kept)
        await in_thread(mirror.tidy)
        new = mirror.replacement()
        hash = await self._get(new, wanted)
        for other in kept:
            try:
                if not await in_thread(new.has, other):
                    await self._get_exactly(new, other, "HEAD")
                await in_thread(new.keep, other)
            except GitFailed as failed:
                self.job.log(
                    f"Commit {other} of the damaged mirror is lost: {failed.diagnosis.text}"
                )
        await in_thread(mirror.replace_by, new)
        return hash

    async def _fetch(self, mirror: Mirror, refspec: str) -> None:
        if mirror.depth is None:
            # The remote repository may itself be shallow.
            how = ["--prune", "--update-shallow", "--", str(mirror.address), *_ALL, refspec]
        else:
            how = ["--no-tags", f"--depth={mirror.depth}", "--", str(mirror.address), refspec]
        always = ("--progress", "--no-recurse-submodules", "--no-write-fetch-head")
        try:
            await self._fetch_now(mirror, *always, *how)
        except GitFailed as failed:
            if failed.diagnosis.fault is not Fault.SHA256 or mirror.kept():
                raise
            await in_thread(mirror.remove)
            await in_thread(mirror.make, "sha256")
            await self._fetch_now(mirror, *always, *how)

    async def _fetch_now(self, mirror: Mirror, *words: str) -> None:
        await run_git_with_progress(
            self.job, self._command(mirror, "fetch", *words), self.settings.env, mirror.repository
        )

    async def _git(self, mirror: Mirror, *words: str) -> None:
        command = self._command(mirror, *words)
        await run_git(self.job, command, self.settings.env, mirror=mirror.repository)

    def _command(self, mirror: Mirror, *words: str) -> list[str]:
        return [*GIT, *_STALLED, f"--git-dir={mirror.repository}", *words]
