"""The refs of many repositories, read by few queries.

Reads of one installation that are asked for together are one query: those of a sweep are, as all
begin at once. While as many queries are on their way as may be, more reads gather, and so they do
where queries would begin faster than GitHub takes them. The last one is served first: a delivery
does not wait for the rest of a sweep.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pycurrent.plugins.forge.limit import Together, asking
from pycurrent.plugins.forge.values import Ref, Repository
from pycurrent.plugins.github.client import GithubClient
from pycurrent.plugins.github.diagnosis import OutOfOrder, not_answered, not_github, renamed
from pycurrent.plugins.github.refs_query import CONNECTIONS, Labelled, RefsReading, query_of
from pycurrent.term import Failure

_AT_ONCE = 2
"""The queries of an installation that are on their way at once: GitHub asks for few."""
_APART = 0.06
"""Seconds from the begin of one of them to the begin of its follower. GitHub takes 2,000 points in
a minute (docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api).
"""

_MAY_BE_HIDDEN = frozenset({"author", "headRepository"})
"""Fields that may be null, with an error, as they are not shown to us."""

Batch = list[RefsReading]


class Heads:
    """Reads the refs of repositories by GraphQL. Belongs to one event loop."""

    def __init__(self, client: GithubClient) -> None:
        self._client = client
        self._of_account: dict[str, _Gathering] = {}
        self._labels: defaultdict[str, dict[int, Labelled]] = defaultdict(dict)
        """The labels of pull requests, by the ids of their repositories."""

    async def refs(self, repository: Repository) -> tuple[Ref, ...]:
        """The refs of a repository, as they are now. Raises Failure."""
        gathering = self._of_account.get(repository.account)
        if gathering is None:
            gathering = _Gathering(self._client, repository.account)
            self._of_account[repository.account] = gathering
        reading = RefsReading(repository, self._labels[repository.id])
        gathering.add(reading)
        refs = await reading.result
        self._labels[repository.id] = reading.labels
        return refs

    async def aclose(self) -> None:
        """Give up what is being read. Twice is fine."""
        for gathering in self._of_account.values():
            await gathering.aclose()


class _Gathering:
    """The reads of one installation."""

    def __init__(self, client: GithubClient, account: str) -> None:
        self._client = client
        self._account = account
        self._waiting: Batch = []
        self._smaller: list[Batch] = []
        """The parts of queries that were too much."""
        self._asking: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def add(self, reading: RefsReading) -> None:
        """Read it soon: with all that are added before the loop's next turn."""
        if self._is_closed:
            reading.result.cancel()
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._begin)
        self._waiting.append(reading)

    async def aclose(self) -> None:
        self._is_closed = True
        asking = list(self._asking)
        for reading in [*self._waiting, *(one for batch in self._smaller for one in batch)]:
            reading.result.cancel()
        self._waiting, self._smaller = [], []
        for task in asking:
            task.cancel()
        if asking:
            await asyncio.wait(asking)

    def _begin(self) -> None:
        while len(self._asking) < _AT_ONCE and (batch := self._next()):
            task = asyncio.create_task(self._turn(batch))
            self._asking.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._begin()

    def _next(self) -> Batch:
        """The reads of the next query. Reads that nobody waits for any more are dropped."""
        if self._smaller:
            return self._smaller.pop()
        batch, room = Batch(), CONNECTIONS
        while self._waiting:
            reading = self._waiting[-1]
            if not reading.result.done():
                if batch and len(reading.fields) > room:
                    break
                batch.append(reading)
                room -= len(reading.fields)
            self._waiting.pop()
        return batch

    async def _turn(self, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        earliest = loop.time() + _APART
        await self._ask(batch)
        await asyncio.sleep(earliest - loop.time())

    async def _ask(self, batch: Batch) -> None:
        what = f"the refs of {batch[0].repository}"
        if len(batch) > 1:
            what = f"{what} and {len(batch) - 1} more repositories"
        query = query_of([(one.repository, one.fields[:CONNECTIONS]) for one in batch])
        try:
            with asking(Together([reading.asker for reading in batch])):
                told, errors = await self._client.query(self._account, what, query)
            self._take(batch, told, errors)
        except OutOfOrder as failure:
            self._again(batch, [failure] * len(batch), of=len(batch))
        except asyncio.CancelledError:
            for reading in batch:
                reading.result.cancel()
            raise
        except Exception as error:
            for reading in batch:
                reading.fail(error)

    def _take(self, batch: Batch, told: Mapping[str, Any], errors: Sequence[Any]) -> None:
        """Take what is told of each, and of what has failed: that one fails, the others go on."""
        again, failures = Batch(), list[Failure]()
        for number, reading in enumerate(batch):
            failure = _taken(reading, f"r{number}", self._client.site, told, errors)
            if isinstance(failure, OutOfOrder):
                again.append(reading)
                failures.append(failure)
            elif failure is not None:
                reading.fail(failure)
            elif reading.is_done:
                reading.succeed()
            else:
                self.add(reading)
        self._again(again, failures, of=len(batch))

    def _again(self, batch: Batch, failures: Sequence[Failure], *, of: int) -> None:
        """A query was too much, or its time: ask for half of it at most. For one repository alone
        that is its failure.
        """
        if of == 1:
            for reading, failure in zip(batch, failures, strict=True):
                reading.fail(failure)
            return
        size = (of + 1) // 2
        self._smaller += [batch[begin : begin + size] for begin in range(0, len(batch), size)]


def _taken(
    reading: RefsReading, key: str, site: str, told: Mapping[str, Any], errors: Sequence[Any]
) -> Failure | None:
    """Take what an answer tells of a repository; or why it can't be."""
    what = f"the refs of {reading.repository}"
    found: Any = told.get(key)
    for error in errors:
        path = error["path"]
        if path[0] == key and not _MAY_BE_HIDDEN.intersection(map(str, path)):
            return not_answered(site, what, error)
    try:
        if str(found["databaseId"]) != reading.repository.id:
            return renamed(site, what)
        reading.take(found)
    except (KeyError, TypeError, AttributeError):
        return not_github(site)
    return None
