"""Engines that are killed while a command of theirs waits at a place."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from pycurrent.engine import Config
from pycurrent.testing import Harness

from ..engine import durable
from . import engine_at_place

PRINTED = ["first prints", "second prints", "**** after"]
"""The lines of the plan "one"."""


class Trial:
    """An engine's folder, the way to a place, and the mark of the processes of a killed engine."""

    def __init__(self, folder: Path, way: list[str]) -> None:
        """`way` is as `engine_at_place.py` takes it."""
        self.folder = folder
        self.way = way
        self.here = uuid.uuid4().hex
        for name in ("begun", "go"):
            os.mkfifo(folder / name)

    @asynccontextmanager
    async def killed(
        self,
        plan: str = "one",
        *,
        is_durable: bool = True,
        how: Callable[[int], None] = lambda engine: os.kill(engine, signal.SIGKILL),
    ) -> AsyncIterator[None]:
        """The engine was killed while a command of its job waits."""
        given = [plan, str(self.folder), str(int(is_durable)), *self.way]
        process = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, engine_at_place.__file__, *given],
            env={**os.environ, "MARK": self.here},
        )
        try:
            await self.begun()
        finally:
            how(process.pid)
            process.kill()
            process.wait()
        yield

    async def begun(self) -> None:
        """Wait until the command runs that waits."""
        await asyncio.to_thread((self.folder / "begun").read_bytes)

    async def go(self) -> None:
        """Let the command that waits go on."""
        await asyncio.to_thread((self.folder / "go").write_bytes, b"")

    def engine(
        self,
        plan: str = "one",
        *,
        is_durable: bool = True,
        lease: float = 60.0,
        by_name: bool = True,
    ) -> Harness:
        pool = engine_at_place.pool_of(self.way, lease=lease, by_name=by_name)
        return Harness(
            lambda: engine_at_place.pipeline(plan, self.folder, pool, is_durable=is_durable),
            state_dir=self.folder / "state",
            config=Config(lease=durable.LEASE, spool_max_size=engine_at_place.SPOOL),
            start=datetime.now(UTC),
        )

    @property
    def ran(self) -> list[str]:
        """The commands that have run."""
        return (self.folder / "ran").read_text().split()
