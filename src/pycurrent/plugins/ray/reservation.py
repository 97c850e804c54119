"""The resources of one job, which its cluster sets aside for as long as the job holds them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from msgspec import Struct, to_builtins

from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.tasks import cancelled, end_if_cancelled
from pycurrent.plugins.ray.connection import Connection, NoDriver
from pycurrent.plugins.ray.shape import Shape

_LONGEST = 1 << 16
_PAUSE = 1.0
"""Seconds before a cluster is asked again that could not be used."""


class Placed(Struct, frozen=True):
    """The node on which they are."""

    node: str
    host: str
    home: str


class Reservation:
    """Asks the driver, and asks again when that, or its cluster, has been started again."""

    def __init__(
        self, connection: Connection, job: DrivenJob, shape: Shape, at: Placed | None = None
    ) -> None:
        """Of any node, or of one. Begins at once; `close` ends it."""
        self.why = f"Ray cluster {connection.address}"
        """The reason why it waits, in words for people."""
        self._connection = connection
        self._job = job
        self._shape = shape
        self._at = at
        self._noted = ""
        self._placed: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold())

    async def placed(self) -> Placed:
        """Wait until they are set aside."""
        waiting = asyncio.shield(self._placed)
        await asyncio.wait((waiting, self._task), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            await self._task
        return await waiting

    async def close(self) -> None:
        """Give them back. Twice is fine."""
        await cancelled(self._task)

    async def _hold(self) -> None:
        while True:
            try:
                await self._hold_once()
            except NoDriver as why:
                end_if_cancelled()
                self._is_down(str(why))
            await asyncio.sleep(_PAUSE)

    async def _hold_once(self) -> None:
        """Hold them until the driver is gone."""
        loop = asyncio.get_running_loop()
        request = {
            "do": "reserve",
            "bundle": self._shape.bundle,
            "labels": self._shape.labels,
            **({"node": None} if self._at is None else to_builtins(self._at)),
        }
        with await self._connection.open(self._job.host) as sock, suppress(OSError):
            await loop.sock_sendall(sock, json.dumps(request).encode())
            while received := await loop.sock_recv(sock, _LONGEST):
                self._hear(json.loads(received))

    def _hear(self, answer: dict[str, Any]) -> None:
        match answer:
            case {"node": str(node), "host": str(host), "home": str(home)}:
                self._connection.works(self._job.host)
                self._at = Placed(node, host, home)
                if not self._placed.done():
                    self._placed.set_result(self._at)
            case {"waits": str(why)}:
                self.why = f"Ray cluster {self._connection.address}: {why}"
                self._note(self.why)
            case {"down": str(why)}:
                self._is_down(why)

    def _is_down(self, why: str) -> None:
        self.why = f"Ray cluster {self._connection.address}, which can't be used: {why}"
        self._note(f"Ray cluster {self._connection.address} can't be used: {why}")

    def _note(self, line: str) -> None:
        """Say it in the log of the job, once, while it waits."""
        if not self._placed.done() and line != self._noted:
            self._noted = line
            self._job.note(line)
