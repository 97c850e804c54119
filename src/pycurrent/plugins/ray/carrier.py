"""The actors that work for an engine in a Ray cluster. Its driver sends them there, with their
code: the nodes need nothing of ours. So this imports the standard library and Ray alone.

There is one *carrier* on each node on which jobs run. It starts the shells by which relays reach
their agents (see the room `places`), and carries bytes. It asks for no resources, and does for all
jobs of its node: so a job needs no new process of Ray's, which would take up to a second.

The one on the head also holds a placement group for each job. That is nothing but resources set
aside: no process, and about 10 ms. Groups and carriers end with the driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from asyncio.subprocess import Process
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_CHUNK = 256 << 10
"""Bytes that are carried at once."""
_LAST = 5.0
"""Seconds that a shell has to end once its connection is lost."""
_WAITERS = 64
"""Groups that are waited for at the same time."""
_SLICE = 1.0
_PATIENCE = 10.0
"""Seconds without news after which a call returns."""


def environment() -> dict[str, str]:
    """The variables of the node, as Ray was started there, without Ray's own. These may have the
    token of the cluster; and what Ray sets for its workers slows down or changes other programs.
    """
    try:
        listed = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
        found = dict(os.fsdecode(item).split("=", 1) for item in listed if b"=" in item)
    except OSError:
        found = dict(os.environ)
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("RAY_") and not (name == "LD_PRELOAD" and "/ray/core/" in value)
    }


class _Shell:
    """A shell, and what it prints."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdin = process.stdin
        self._streams = (process.stdout, process.stderr)
        self._reads: list[asyncio.Task[bytes] | None] = [
            asyncio.ensure_future(stream.read(_CHUNK)) for stream in self._streams
        ]

    async def take(self) -> tuple[bytes, bytes, int | None]:
        """The bytes that have come on both streams, and the status, when all have."""
        waited = [read for read in self._reads if read is not None]
        if not waited:
            return b"", b"", await self.process.wait()
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        taken = [b"", b""]
        for number, read in enumerate(self._reads):
            if read is not None and read.done():
                taken[number] = read.result()
                more = self._streams[number].read(_CHUNK) if taken[number] else None
                self._reads[number] = None if more is None else asyncio.ensure_future(more)
        return taken[0], taken[1], None

    async def end(self) -> None:
        """It is needed no more: the agent ends when nobody is at the other end."""
        self.stdin.close()
        for read in self._reads:
            if read is not None:
                read.cancel()
        try:
            await asyncio.wait_for(self.process.wait(), _LAST)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


class Carrier:
    """Starts shells on its node, and carries what they read and print; on the head it holds the
    resources of jobs, too.
    """

    def __init__(self) -> None:
        self._shells: dict[str, _Shell] = {}
        self._groups: dict[str, Any] = {}
        """None while one is made."""
        self._threads = ThreadPoolExecutor(_WAITERS)

    async def is_there(self) -> None:
        """It is, if this returns."""

    async def home(self) -> str:
        """A text that no other place has: it names the folder of our runs, and this machine."""
        path = Path(environment().get("HOME") or Path.home(), ".cache", "pycurrent", "run")
        path.mkdir(0o700, parents=True, exist_ok=True)
        about, boot = path.stat(), Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {about.st_dev} {about.st_ino}"

    async def begin(self, name: str, words: str) -> None:
        """Have a shell run these words."""
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            limit=_CHUNK,
            start_new_session=True,
        )
        self._shells[name] = _Shell(process)

    async def give(self, name: str, data: bytes) -> None:
        """More input of a shell; none is its end. It is dropped if nobody reads it any more."""
        stdin = self._shells[name].stdin
        with contextlib.suppress(OSError):
            if not data:
                stdin.close()
            else:
                stdin.write(data)
                await stdin.drain()

    async def take(self, name: str) -> tuple[bytes, bytes, int | None]:
        """The next bytes that a shell prints, and its status, at the end. One call at a time."""
        return await self._shells[name].take()

    async def end(self, name: str) -> None:
        """A shell is needed no more. Twice is fine."""
        shell = self._shells.pop(name, None)
        if shell is not None:
            await shell.end()

    # Resources, on the head

    async def ask(
        self, name: str, bundle: dict[str, float], labels: dict[str, str], known: str
    ) -> tuple[str | None, str]:
        """The node on which the resources are set aside, if there is one by now, and the state.
        It waits for a while for a state that is not `known`. The first call asks the cluster.
        """
        loop = asyncio.get_running_loop()
        if name not in self._groups:
            self._groups[name] = None
            made = await loop.run_in_executor(self._threads, self._make, bundle, labels)
            is_wanted = name in self._groups
            self._groups[name] = made
            if not is_wanted:
                await self.drop(name)
        for _ in range(int(_PATIENCE / _SLICE)):
            group = self._groups.get(name)
            if group is None:
                break
            node, state = await loop.run_in_executor(self._threads, self._look, group)
            if node is not None or state != known:
                return node, state
        return None, known

    def _make(self, bundle: dict[str, float], labels: dict[str, str]) -> Any:
        from ray.util.placement_group import placement_group

        return placement_group([bundle], bundle_label_selector=[labels] if labels else None)

    def _look(self, group: Any) -> tuple[str | None, str]:
        from ray.util.placement_group import placement_group_table

        is_there = group.wait(_SLICE)
        table = placement_group_table(group)
        state = str(table["stats"]["scheduling_state"])
        return (table["bundles_to_node_id"][0] if is_there else None), state

    async def drop(self, name: str) -> None:
        """Give the resources back. Twice is fine."""
        group = self._groups.pop(name, None)
        if group is not None:
            from ray.util.placement_group import remove_placement_group

            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, remove_placement_group, group)
