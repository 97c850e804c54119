"""The actors that work for an engine in a Ray cluster. Its driver sends them there, with their
code: the nodes need nothing of ours. So this imports the standard library and Ray alone.

There is one *carrier* on each node on which jobs run. It starts shells (see `shells.py`), and
carries bytes. It asks for no resources, and does for all jobs of its node: so a job needs no new
process of Ray's, which would take up to a second.

The one on the head also holds a placement group for each job. That is nothing but resources set
aside: no process, and about 10 ms. Groups and carriers end with the driver.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pycurrent.plugins.ray.shells import Shell, Shells, environment

_WAITERS = 64
"""Groups that are waited for at the same time."""
_SLICE = 1.0
"""Seconds between two looks at a group that waits. A look has a thread meanwhile, also when the
group is not wanted any more.
"""
_PATIENCE = 10.0
"""Seconds without news after which a call returns."""


class Carrier:
    """Starts shells on its node, and carries what they read and print; on the head it holds the
    resources of jobs, too.
    """

    def __init__(self) -> None:
        self._start = Shells()
        self._shells: dict[str, Shell] = {}
        self._asked: dict[str, _Asked] = {}
        """In the order in which they came."""
        self._threads = ThreadPoolExecutor(_WAITERS)

    async def is_there(self) -> None:
        """It is, if this returns."""

    async def home(self) -> str:
        """A text that no other place has: it names the folder of our runs, and this machine."""
        path = Path(environment().get("HOME") or Path.home(), ".cache", "pycurrent", "run")
        path.mkdir(0o700, parents=True, exist_ok=True)
        about, boot = path.stat(), Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {about.st_dev} {about.st_ino}"

    async def begin(self, name: str, words: str, serving: str) -> tuple[bytes, bytes, int | None]:
        """Have a shell run these words: see `Shells.begin`. An agent greets before it is told
        anything: that is given, as by `take`.
        """
        shell = self._shells[name] = await self._start.begin(words, serving)
        return await shell.take() if serving else (b"", b"", None)

    async def give(self, name: str, data: bytes) -> None:
        """More input of a shell; none is its end."""
        await self._shells[name].give(data)

    async def take(self, name: str) -> tuple[bytes, bytes, int | None]:
        """The next bytes that a shell prints, and its status, at the end. One call at a time."""
        return await self._shells[name].take()

    async def end(self, name: str, rest: bytes) -> None:
        """A shell is needed no more, when it has the rest of its input. Twice is fine."""
        shell = self._shells.pop(name, None)
        if shell is not None:
            if rest:
                await shell.give(rest)
            await shell.end()

    # Resources, on the head

    async def ask(
        self, name: str, bundle: dict[str, float], labels: dict[str, str], known: str
    ) -> tuple[str | None, str]:
        """The node on which the resources are set aside, if there is one by now, and the state.
        It waits for a while for a state that is not `known`. The first call asks the cluster.
        """
        asked = self._asked.get(name)
        if asked is None:
            asked = self._asked[name] = _Asked(bundle, labels)
            made = await self._in_thread(_make, bundle, labels)
            if self._asked.get(name) is not asked or asked.group is not None:
                # It is wanted no more, or has got another one meanwhile.
                await self._in_thread(_remove, made)
            else:
                asked.group = made
        for _ in range(int(_PATIENCE / _SLICE)):
            if asked.node is not None:
                return asked.node, "CREATED"
            if self._asked.get(name) is not asked:
                break
            group = asked.group
            looking = asyncio.ensure_future(self._in_thread(_look, group))
            inherited = asyncio.ensure_future(asked.inherited.wait())
            await asyncio.wait((looking, inherited), return_when=asyncio.FIRST_COMPLETED)
            inherited.cancel()
            if asked.group is group and looking.done():
                asked.node, state = looking.result()
                asked.waits = asked.node is None
                if asked.node is not None or state != known:
                    return asked.node, state
        return None, known

    async def drop(self, name: str) -> None:
        """Give the resources back. Twice is fine.

        If the one that has waited the longest asks for the same, it gets them at once, as Ray has
        it for the workers of its tasks: the cluster looks only now and then who fits in.
        """
        asked = self._asked.pop(name, None)
        if asked is None or asked.group is None:
            return
        given_up = asked.group
        if asked.node is not None:
            heir = next((other for other in self._asked.values() if other.waits), None)
            if heir is not None and heir.wants_the_same_as(asked):
                given_up, heir.group, heir.node = heir.group, asked.group, asked.node
                heir.waits = False
                heir.inherited.set()
        if given_up is not None:
            await self._in_thread(_remove, given_up)

    def _in_thread(self, do: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, do, *args)


class _Asked:
    """The resources of one job, which are asked for or set aside."""

    def __init__(self, bundle: dict[str, float], labels: dict[str, str]) -> None:
        self.bundle = bundle
        self.labels = labels
        self.group: Any = None
        """None while it is made."""
        self.node: str | None = None
        """The one on which they are, when they are set aside."""
        self.waits = False
        """True while there is no room for it. One that is just made gets nothing of others: its own
        group would be removed at that moment, and then Ray may keep what that has.
        """
        self.inherited = asyncio.Event()
        """Another job has left its own behind for this one."""

    def wants_the_same_as(self, other: _Asked) -> bool:
        return (self.bundle, self.labels) == (other.bundle, other.labels)


def _make(bundle: dict[str, float], labels: dict[str, str]) -> Any:
    from ray.util.placement_group import placement_group

    return placement_group([bundle], bundle_label_selector=[labels] if labels else None)


def _look(group: Any) -> tuple[str | None, str]:
    from ray.util.placement_group import placement_group_table

    is_there = group.wait(_SLICE)
    table = placement_group_table(group)
    state = str(table["stats"]["scheduling_state"])
    return (table["bundles_to_node_id"][0] if is_there else None), state


def _remove(group: Any) -> None:
    from ray.util.placement_group import remove_placement_group

    remove_placement_group(group)
