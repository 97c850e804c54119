"""The mirrors of one engine: who may work in each, and commits that are found in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycurrent.cache import Builder, Cache, Schedule
from pycurrent.engine import Job, Pool
from pycurrent.engine.tasks import uncancellable
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.term import Ok, Output, Primitive, Runtime, Subscription

if TYPE_CHECKING:
    from pycurrent.engine import OpenEngine


class Mirrors:
    """The mirrors of an engine, and the locks for them: a service of the engine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._turns: dict[Path, Pool] = {}
        # Mirrors in which the last command of this engine has ended by itself.
        self._tidy: set[Path] = set()

    @asynccontextmanager
    async def hold(self, job: Job, mirror: Mirror) -> AsyncIterator[None]:
        """Hold the mirror for the block: nobody else may change it. Raises OSError."""
        turn = self._turns.setdefault(mirror.container, Pool(f"mirror of {mirror.address}", 1))
        await asyncio.to_thread(mirror.container.mkdir, parents=True, exist_ok=True)
        async with (
            job.use_pool(turn),
            # The command of a killed engine may still be at work there.
            job.locking(mirror.container / "lock", f"the mirror of {mirror.address}"),
        ):
            if mirror.container not in self._tidy:
                await uncancellable(asyncio.to_thread(mirror.tidy))
            self._tidy.discard(mirror.container)
            yield
            self._tidy.add(mirror.container)


def mirrors_of(engine: OpenEngine) -> Mirrors:
    """Return the mirrors in the engine's state directory."""
    return Mirrors(engine.state.git)


@dataclass(frozen=True, slots=True)
class InMirror(Primitive[Commit]):
    """A commit that an operation fetches into a mirror.

    The result records only the commit's hash, because the place of the mirror depends on the
    engine. If the mirror is gone, or damaged, the result does not count, and the operation runs
    again.
    """

    mirror: Callable[[Mirrors], Mirror]
    operation: Callable[[Mirrors], Builder[Any, str]]
    key: Any  # of the operation
    seen_on: str
    """The ref on which the commit was seen."""
    schedule: Schedule | None = None

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[Commit]:
        mirrors = runtime.service(mirrors_of)
        mirror, work = self.mirror(mirrors), self.operation(mirrors)
        cache = runtime.service(Cache)
        if not mirror.is_sound and _has_succeeded(cache, work, self.key):
            work.invalidate(cache.engine, self.key)

        def found(output: Output[str]) -> Output[Commit]:
            return (
                Ok(mirror.commit(output.value, self.seen_on)) if isinstance(output, Ok) else output
            )

        return (
            work.get(self.key, schedule=self.schedule).map_output(found).subscribe(runtime, changed)
        )


def _has_succeeded(cache: Cache, work: Builder[Any, str], key: object) -> bool:
    op_type = cache.op_type(type(work))
    record = cache.engine.store.lookup(op_type.id, op_type.key(key).digest)
    return record is not None and record.ok
