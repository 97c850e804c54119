"""The forges that an engine uses: for each one its API, and the inputs that are read by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from pycurrent.engine import Clock, Monitor, OpenEngine, Timer
from pycurrent.engine.abouts import About, Abouts
from pycurrent.engine.changes import ChangeText
from pycurrent.engine.monitor import Monitors
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.changes import ref_changes, repository_changes
from pycurrent.plugins.forge.limit import asking
from pycurrent.plugins.forge.staleness import RefsAnswers
from pycurrent.plugins.forge.sweep import Sweeps
from pycurrent.plugins.forge.values import Move, Ref, Repository
from pycurrent.plugins.git import Token
from pycurrent.term import Failure, FailureKind

_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 15, 30))
"""The pauses before what a delivery has told of is read again, if that fails, or shows less."""

Repositories = tuple[Repository, ...]
Refs = tuple[Ref, ...]

T = TypeVar("T")


class Connects(Protocol):
    """A forge that engines can be connected with."""

    @property
    def site(self) -> str: ...
    def connect(self, clock: Clock) -> ForgeApi: ...


class ForgeInput(Monitor[T]):
    """An input that is read from a forge: swept now and then, and refreshed by deliveries."""

    def __init__(
        self,
        clock: Clock,
        sweeps: Sweeps,
        read: Callable[[], Awaitable[T]],
        name: str,
        type: object,
    ) -> None:
        self._clock = clock
        self._sweeps = sweeps
        self._read_all = read
        self._synced: datetime | None = None
        self._refreshes: list[Callable[[], None]] = []
        self._pauses: list[timedelta] | None = None
        """The pauses before more reads; None while all is well."""
        self._again: Timer | None = None
        self._waits: list[str] = []
        self._tell: Callable[[], None] = lambda: None
        super().__init__(read=self._sync, watch=self._kept, describe=name, type=type)

    async def _sync(self) -> T:
        self._stay()
        try:
            with asking(self):
                found = await self._read_all()
        except Failure as failure:
            self._soon(failure)
            raise
        self._synced = self._clock.now()
        self._soon(None)
        return found

    def note(self) -> str | None:
        told = [f"waits for {what}" for what in sorted(set(self._waits))]
        if self._synced is not None:
            told.append(f"last synced {self._synced.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
        return "; ".join(told) or None

    @property
    def was_read(self) -> bool:
        """True once it was read without an error."""
        return self._synced is not None

    @contextmanager
    def waiting_for(self, what: str, /) -> Iterator[None]:
        """Tell by the note that it waits for this."""
        self._waits.append(what)
        self._tell()
        try:
            yield
        finally:
            self._waits.remove(what)
            self._tell()

    def watching(
        self, engine: OpenEngine, refresh: Callable[[], None]
    ) -> AbstractAsyncContextManager[object]:
        self._tell = partial(engine.service(Monitors).note_changed, self)
        return super().watching(engine, refresh)

    def refresh(self) -> None:
        """Read it at once, if anybody needs it, and again soon if that fails, or its answer is old.
        One read at a time, however often it is asked for meanwhile.
        """
        self._pauses = list(_PAUSES)
        self._read_again()

    def _is_old(self, failure: Failure | None) -> bool:
        """True if the last read is to be tried again soon. Subclasses know of more reasons."""
        is_passing = failure is not None and failure.kind is FailureKind.INFRA
        return is_passing and self._pauses is not None

    def _give_up(self) -> None:
        """It was read often enough. Subclasses end what they expect of it."""

    def _soon(self, failure: Failure | None) -> None:
        """Read it again after a pause, if the last read was not what it should be."""
        if not self._is_old(failure):
            self._pauses = None
            return
        if self._pauses is None:
            self._pauses = list(_PAUSES)
        if self._pauses and self._refreshes:
            self._again = self._clock.call_later(self._pauses.pop(0), self._read_again)
        else:
            self._give_up()

    def _read_again(self) -> None:
        for refresh in self._refreshes:
            refresh()

    def _stay(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    @asynccontextmanager
    async def _kept(self, refresh: Callable[[], None]) -> AsyncIterator[None]:
        self._refreshes.append(refresh)
        try:
            with self._sweeps.having(refresh):
                yield
        finally:
            self._refreshes.remove(refresh)
            self._stay()


class RepositoriesInput(ForgeInput[Repositories]):
    """All repositories that a forge lets us in to."""

    def __init__(
        self,
        clock: Clock,
        sweeps: Sweeps,
        read: Callable[[], Awaitable[Repositories]],
        name: str,
        api: ForgeApi,
    ) -> None:
        super().__init__(clock, sweeps, read, name, Repositories)
        self._api = api

    def note(self) -> str | None:
        synced = super().note()
        return None if synced is None else "; ".join((synced, *self._api.refusals))

    async def describe_change(self, old: Repositories, new: Repositories) -> ChangeText | None:
        return repository_changes(self.describe(), old, new)


class RefsInput(ForgeInput[Refs]):
    """The refs of one repository. Answers that are old change nothing: see `staleness`."""

    def __init__(
        self, clock: Clock, sweeps: Sweeps, read: Callable[[], Awaitable[Refs]], name: str
    ) -> None:
        self._answers = RefsAnswers(clock)

        async def take() -> Refs:
            return self._answers.take(await read())

        super().__init__(clock, sweeps, take, name, Refs)

    def tell(self, moves: tuple[Move, ...]) -> None:
        """A delivery says that these refs have moved: read them."""
        self._answers.tell(moves)
        self.refresh()

    def _is_old(self, failure: Failure | None) -> bool:
        return super()._is_old(failure) or (failure is None and self._answers.is_old)

    def _give_up(self) -> None:
        self._answers.give_up()

    async def describe_change(self, old: Refs, new: Refs) -> ChangeText | None:
        return ref_changes(self.describe(), old, new)


class ForgeLink:
    """One forge in one engine. All who use the same repository share its input."""

    def __init__(self, site: str, api: ForgeApi, clock: Clock, others: ForgeLinks) -> None:
        self.api = api
        self._others = others
        self._clock = clock
        self._site = site
        self._turns = asyncio.Semaphore(api.at_once)
        self._sweeps = Sweeps(clock)
        self._known: dict[str, Repository] = {}
        """As they were given last, by their ids: their names change."""
        self._are_listed = False
        self._listed: dict[str, Repository] = {}
        """As they were listed last, by their paths in small letters."""
        self._refs: WeakValueDictionary[str, RefsInput] = WeakValueDictionary()
        self._read: dict[str, dict[str, Ref]] = {}
        """Their refs by their keys, as they were read last."""
        self.repositories = RepositoriesInput(
            clock, self._sweeps, self._read_repositories, f"repositories of {site}", api
        )

    def refs(self, repository: Repository) -> RefsInput:
        """The refs of a repository."""
        key = repository.id
        self._known[key] = repository
        found = self._refs.get(key)
        if found is None or found.describe() != self._name_of(repository):
            found = self._refs[key] = RefsInput(
                self._clock,
                self._sweeps,
                lambda: self._read_refs(key),
                self._name_of(repository),
            )
        return found

    def has_read(self, repository: Repository) -> bool:
        """True once the refs of a repository were read for the pipeline."""
        input = self._refs.get(repository.id)
        return input is not None and input.was_read

    def refresh(self, paths: tuple[str, ...] | None, moves: tuple[Move, ...] = ()) -> None:
        """Look again at these repositories, whose refs have made these moves; None, or one that is
        new to us: at the list of all, too.
        """
        wanted = None if paths is None else {path.casefold() for path in paths}
        for key, input in list(self._refs.items()):
            if wanted is None or self._known[key].path.casefold() in wanted:
                input.tell(moves)
        if wanted is None or not wanted <= self._listed.keys():
            self.repositories.refresh()

    def known(self, path: str) -> Repository | None:
        """The repository with a path, as it was listed last; None if it was not."""
        return self._listed.get(path.casefold())

    async def find(self, path: str) -> Repository | None:
        """The same; they are listed if they never were. Raises Failure."""
        if not self._are_listed:
            await self._read_repositories()
        return self.known(path)

    def api_at(self, site: str) -> ForgeApi:
        """The API of the forge that a record names, which may be another one of the pipeline: what
        has gone is retired by any stage's operation. Raises `Failure` if the pipeline has no such
        forge.
        """
        if site == self._site:
            return self.api
        found = self._others.at(site)
        if found is None:
            raise Failure(
                f"no stage of the pipeline uses the forge {site} any more: what was shown there"
                " stays as it is"
            )
        return found.api

    def heads(self) -> dict[tuple[str, str], Repository]:
        """The repositories whose refs are needed, by their ids, each with every head."""
        return {
            (key, commit): self._known[key]
            for key in list(self._refs)
            for commit in {ref.hash for ref in self._read.get(key, {}).values()}
        }

    def known_ref(self, path: str, key: str) -> Ref | None:
        """The ref of a repository with a path, as it was read last; None if there is none."""
        for id, refs in self._read.items():
            if id in self._refs and self._known[id].path == path:
                return refs.get(key)
        return None

    def token(self, repository: Repository) -> Token:
        """A token that fetches from a repository, asked for when it is needed."""

        async def value() -> str:
            token = await self.api.clone_token(repository)
            if token is None:
                raise Failure(f"{self._site} gives no token to fetch from {repository}")
            return await token.get()

        return Token(value)

    def _name_of(self, repository: Repository) -> str:
        return f"refs of {repository} on {self._site}"

    async def _read_repositories(self) -> Repositories:
        found = await self.api.repositories()
        self._listed = {one.path.casefold(): one for one in found}
        self._are_listed = True
        return found

    async def _read_refs(self, key: str) -> Refs:
        async with self._turns:
            refs = await self.api.refs(self._known[key])
        self._read[key] = {ref.key: ref for ref in refs}
        return refs


class ForgeLinks:
    """The forges of one engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._links: dict[Connects, ForgeLink] = {}
        engine.on_close(self.aclose)
        engine.service(Abouts).add(self._about)

    def of(self, forge: Connects) -> ForgeLink:
        """The link with a forge, made when it is asked for first."""
        link = self._links.get(forge)
        if link is None:
            clock = self._engine.clock
            link = self._links[forge] = ForgeLink(forge.site, forge.connect(clock), clock, self)
        return link

    def at(self, site: str) -> ForgeLink | None:
        """A link with the forge at an address, if there is one."""
        return next((link for forge, link in self._links.items() if forge.site == site), None)

    async def _about(self, labels: Mapping[str, str]) -> About | None:
        from pycurrent.plugins.forge.about import about  # needed when somebody looks

        return await about(self._engine, self._links.values(), labels)

    async def aclose(self) -> None:
        """End the connections."""
        links, self._links = self._links, {}
        for link in links.values():
            await link.api.aclose()
