"""The copies of one engine: whose turn it is in each, and results that are found in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycurrent.cache import Builder, Cache, Schedule
from pycurrent.engine import Job, Pool
from pycurrent.engine.tasks import regardless
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.copy import Copy
from pycurrent.term import Ok, Output, Primitive, Runtime, Subscription

if TYPE_CHECKING:
    from pycurrent.engine import Engine


class Copies:
    """Where the copies are, and who is at work in which: a service of the engine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._turns: dict[Path, Pool] = {}
        # Those in which the last command of this engine has ended by itself.
        self._tidy: set[Path] = set()

    @asynccontextmanager
    async def hold(self, job: Job, copy: Copy) -> AsyncIterator[None]:
        """Be the only one that changes the copy, for the block. Raises OSError."""
        turn = self._turns.setdefault(copy.container, Pool(f"copy of {copy.address}", 1))
        await asyncio.to_thread(copy.container.mkdir, parents=True, exist_ok=True)
        async with (
            job.use_pool(turn),
            # What a killed engine was doing there may still be ending.
            job.locking(copy.container / "lock", f"the copy of {copy.address}"),
        ):
            if copy.container not in self._tidy:
                await regardless(asyncio.to_thread(copy.tidy))
            self._tidy.discard(copy.container)
            yield
            self._tidy.add(copy.container)


def copies_of(engine: Engine) -> Copies:
    """Those in the engine's state directory."""
    return Copies(engine.state.git)


@dataclass(frozen=True, slots=True)
class InCopy(Primitive[Commit]):
    """A commit that an operation brings to a copy.

    What is recorded is the commit's hash; where the copy is depends on the engine. A result
    whose copy is gone, or damaged, is none.
    """

    copy: Callable[[Copies], Copy]
    operation: Callable[[Copies], Builder[Any, str]]
    key: Any  # of the operation
    seen_on: str
    """The ref that it is on."""
    schedule: Schedule | None = None

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[Commit]:
        copies = runtime.service(copies_of)
        copy, work = self.copy(copies), self.operation(copies)
        cache = runtime.service(Cache)
        if not copy.is_sound and _has_succeeded(cache, work, self.key):
            work.invalidate(cache.engine, self.key)

        def found(output: Output[str]) -> Output[Commit]:
            return Ok(copy.commit(output.value, self.seen_on)) if isinstance(output, Ok) else output

        return (
            work.get(self.key, schedule=self.schedule).map_output(found).subscribe(runtime, changed)
        )


def _has_succeeded(cache: Cache, work: Builder[Any, str], key: object) -> bool:
    spec = cache.spec(type(work))
    record = cache.engine.store.lookup(spec.id, spec.key(key).digest)
    return record is not None and record.ok
