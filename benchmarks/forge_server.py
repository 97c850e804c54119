"""A GitHub in a process of its own, which sends its webhooks: that of the tests, on which an App is
installed.

    python -m benchmarks.forge_server REPOSITORIES KEY_FILE

Writes the App's key to the file, and prints its address. Then it reads a line each for what is to
be done, and prints one with JSON for what came of it:

    hook ADDRESS       where its deliveries go from now on
    push NAME NUMBER   the branch main of octo/NAME moves, and is delivered
    flood COUNT        so many moves over all repositories, delivered in bursts
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

from aiohttp import ClientSession
from tests.plugins.forge.judge import Judge
from tests.plugins.forge.model import sha
from tests.plugins.github.fake import FakeGithubOfApp

BURST = 20
"""How many deliveries are on their way at the same time."""


class Server:
    """The forge, with all that it has sent."""

    def __init__(self, repositories: int) -> None:
        self.forge = FakeGithubOfApp()
        # Tests judge its requests and answers; here that would only take time from the engine.
        self.forge.judge = Judge()
        self.names = [f"lib{number:04}" for number in range(repositories)]
        for name in self.names:
            self.forge.add(f"octo/{name}")
        self._hook = ""
        self._sent = 0

    async def do(self, session: ClientSession, command: str) -> object:
        """Do what a line asks for."""
        match command.split():
            case ["hook", address]:
                self._hook = address
                return None
            case ["push", name, number]:
                return await self._push(session, name, int(number))
            case ["flood", count]:
                return await self._flood(session, int(count))
        raise ValueError(command)

    async def _push(self, session: ClientSession, name: str, number: int) -> tuple[int, float]:
        """The status of the answer, and how long it took, in seconds."""
        branches = self.forge.repositories[f"octo/{name}"].branches
        told = {"ref": "refs/heads/main", "before": branches["main"], "after": sha(number)}
        branches["main"] = sha(number)
        headers, body = self.forge.deliver("push", f"octo/{name}", **told)
        began = perf_counter()
        async with session.post(self._hook, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status, perf_counter() - began

    async def _flood(self, session: ClientSession, count: int) -> dict[str, object]:
        """Each repository has moved as often; the last numbers are the ones that count."""
        began, slowest = perf_counter(), 0.0
        statuses = Counter[int]()
        for first in range(0, count, BURST):
            numbers = range(first, min(first + BURST, count))
            pushes = [
                self._push(session, self.names[number % len(self.names)], 10**6 + number)
                for number in numbers
            ]
            for status, took in await asyncio.gather(*pushes):
                statuses[status] += 1
                slowest = max(slowest, took)
        heads = {
            name: self.forge.repositories[f"octo/{name}"].branches["main"] for name in self.names
        }
        return {
            "took": perf_counter() - began,
            "slowest": slowest,
            "taken": statuses[202],
            "heads": heads,
        }


async def _serve(repositories: int, key: Path) -> None:
    server = Server(repositories)
    key.write_text(server.forge.token)
    await server.forge.start()
    print(server.forge.url, flush=True)
    async with ClientSession() as session:
        while command := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await server.do(session, command)), flush=True)
    await server.forge.stop()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
