"""Inputs that are lists of refs: those of remote repositories are polled, those here are watched.

Each engine has one input for each list: stages that ask for the same one share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from weakref import WeakValueDictionary

from pycurrent.engine import FileMonitor, Monitor, OpenEngine
from pycurrent.engine.changes import ChangeText
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.plugins.git.credentials import RepositoryAccess
from pycurrent.plugins.git.ls_remote import LsRemote
from pycurrent.plugins.git.refs import RefOrder, RefPattern, Refs, listed, refs_change_told
from pycurrent.plugins.git.repository import NoCommit, Repository


@dataclass(frozen=True, slots=True)
class RemoteListing:
    """A list of refs of a remote repository."""

    access: RepositoryAccess
    pattern: RefPattern
    order: RefOrder
    every: timedelta


@dataclass(frozen=True, slots=True)
class LocalListing:
    """A list of refs of a repository on this machine."""

    path: Path
    pattern: RefPattern
    order: RefOrder


Listing = RemoteListing | LocalListing


class Listings:
    """The lists of refs that an engine follows: a service of the engine."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._monitors: WeakValueDictionary[Listing, Monitor[Refs]] = WeakValueDictionary()

    def monitor(self, listing: Listing) -> Monitor[Refs]:
        found = self._monitors.get(listing)
        if found is None:
            if isinstance(listing, LocalListing):
                found = _LocalRefs(listing)
            else:
                found = _RemoteRefs(self._engine, listing)
            self._monitors[listing] = found
        return found


class _Reader:
    """Makes lists of what git says; while that stays the same, so does the list."""

    def __init__(self, repository: str, pattern: RefPattern, order: RefOrder) -> None:
        self._how = (pattern, repository, order)
        self._digest = b""
        self._refs: Refs = ()

    def read(self, said: bytes) -> Refs:
        """Blocks for a moment if there are many."""
        digest = sha256(said).digest()
        if digest != self._digest:
            self._refs = listed(said.decode(errors="surrogateescape"), *self._how)
            self._digest = digest
        return self._refs


class _RemoteRefs(Monitor[Refs]):
    def __init__(self, engine: OpenEngine, listing: RemoteListing) -> None:
        address, pattern = listing.access.home, listing.pattern
        reader = _Reader(str(address), pattern, listing.order)

        async def read() -> Refs:
            said = await LsRemote(engine, listing.access).said(pattern.options)
            return await in_thread(reader.read, said)

        name = f"{listing.order.value} of {address} ({pattern})"
        super().__init__(read=read, every=listing.every, describe=name, type=Refs)

    async def describe_change(self, old: Refs, new: Refs) -> ChangeText | None:
        return refs_change_told(self.describe(), old, new)


class _LocalRefs(FileMonitor[Refs]):
    def __init__(self, listing: LocalListing) -> None:
        path, pattern = listing.path, listing.pattern
        reader = _Reader(str(path), pattern, listing.order)

        def look() -> Refs:
            said = Repository.at(path).refs(*pattern.options)
            if isinstance(said, NoCommit):
                raise UsageError(said.reason)
            return reader.read(said.encode(errors="surrogateescape"))

        async def read() -> Refs:
            return await in_thread(look)

        super().__init__(
            read=read,
            paths=lambda: Repository.at(path).files_below(pattern.folder),
            describe=f"{listing.order.value} of {path} ({pattern})",
            type=Refs,
        )

    async def describe_change(self, old: Refs, new: Refs) -> ChangeText | None:
        return refs_change_told(self.describe(), old, new)
