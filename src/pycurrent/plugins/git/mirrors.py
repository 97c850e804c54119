"""The mirrors of one engine, and who may work in each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pycurrent.engine import Job, Pool
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.contents import Contents
from pycurrent.plugins.git.mirror import Mirror

if TYPE_CHECKING:
    from pycurrent.engine import OpenEngine


class Mirrors:
    """The mirrors of an engine, and the locks for them: a service of the engine."""

    def __init__(self, root: Path, tell: Callable[[Commit], Awaitable[None]] | None = None) -> None:
        """`tell` is called with each commit that was fetched, before anything else has it."""
        self.root = root
        self._tell = tell
        self._turns: dict[Path, Pool] = {}
        # Mirrors in which the last command of this engine has ended by itself.
        self._tidy: set[Path] = set()

    @asynccontextmanager
    async def hold(self, job: Job, mirror: Mirror) -> AsyncIterator[None]:
        """Hold the mirror for the block: nobody else may change it. Raises OSError."""
        turn = self._turns.setdefault(mirror.container, Pool(f"mirror of {mirror.address}", 1))
        await in_thread(mirror.container.mkdir, parents=True, exist_ok=True)
        async with (
            job.use_pool(turn),
            # The command of a killed engine may still be at work there.
            job.locking(mirror.container / "lock", f"the mirror of {mirror.address}"),
        ):
            if mirror.container not in self._tidy:
                await in_thread(mirror.tidy)
            self._tidy.discard(mirror.container)
            yield
            self._tidy.add(mirror.container)

    async def fetched(self, commit: Commit) -> None:
        """A commit has come into a mirror: prepare what is to be known when it is used."""
        if self._tell is not None:
            await self._tell(commit)


def mirrors_of(engine: OpenEngine) -> Mirrors:
    """Return the mirrors in the engine's state directory."""
    return Mirrors(engine.state.git, engine.service(Contents).prepare)
