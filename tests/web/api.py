"""The API of a real engine, called within the process or over the network."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import pycurrent as current
from pycurrent import Config, Current, Job, Level, builder
from pycurrent.engine import AnyPool
from pycurrent.service import Service
from pycurrent.testing import Harness
from pycurrent.web.auth.access import ACCESS
from pycurrent.web.server import Website
from pycurrent.web.settings import WebSettings

API = "/api/v1"
NO_JOB = "2026-11-22/084703-task-1a2b3c"


class Tasks:
    """Builds that write to their logs, and end when the test says so: those that are `quick`
    at once, and `bad` ones with a failure.
    """

    def __init__(self, *, level: Level = Level.AVERAGE, pool: AnyPool | None = None) -> None:
        self.jobs: dict[str, Job] = {}
        self._ends: dict[str, asyncio.Future[str]] = {}

        @builder("task", level=level, pool=pool)
        async def task(job: Job, key: str) -> str:
            job.log(f"doing {key} <script>alert(1)</script>")
            self.jobs[key] = job
            if key.startswith("bad"):
                raise current.Failure(f"{key}: <b>no good</b>")
            if not key.startswith("quick"):
                self._ends[key] = asyncio.get_running_loop().create_future()
                await self._ends[key]
            return key

        self.stage: Callable[[str], Current[str]] = task
        self.each: Callable[[Current[str]], Current[str]] = task

    def end(self, key: str) -> None:
        self._ends[key].set_result(key)

    async def begun(self, key: str) -> Job:
        """Wait until it is at work."""
        await until(lambda: key in self._ends)
        return self.jobs[key]


async def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Wait, in real time, until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - whatever it is about
            await asyncio.sleep(0.001)


@dataclass(frozen=True)
class Api:
    """An engine on a virtual clock, and a client of its API."""

    harness: Harness
    service: Service
    client: httpx.AsyncClient

    def job(self, description: str) -> str:
        """The id of the job with this description."""
        return self.harness.find(description).id

    async def get(self, path: str, /, **query: Any) -> Any:
        """What is answered, as JSON: it must be a success."""
        answer = await self.client.get(f"{API}{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status, and what is answered."""
        answer = await self.client.request(method, f"{API}{path}", json=body)
        kind = answer.headers["content-type"]
        if answer.status_code >= 400:
            assert kind == "application/problem+json", answer.text
            assert answer.json()["status"] == answer.status_code
        return answer.status_code, answer.json()


@asynccontextmanager
async def api_of(
    pipeline: Callable[[], Current[Any]],
    state_dir: Path,
    *,
    config: Config | None = None,
    settings: WebSettings | None = None,
    client: str = "127.0.0.1",
) -> AsyncIterator[Api]:
    """Run a pipeline until there is nothing more to do, and then look on, as who runs it, from
    this address.
    """
    harness = Harness(pipeline, state_dir=state_dir, config=config)
    settings = settings or WebSettings()
    made: list[Website] = []
    harness.engine.on_open(lambda opened: made.append(Website(Service(opened), settings)))
    async with harness, made[0].open() as app:
        await harness.settle()
        transport = httpx.ASGITransport(app, client=(client, 12345))
        headers = {"Authorization": f"Bearer {ACCESS.get(app.state).owner.token}"}
        base = "http://localhost"
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as http:
            yield Api(harness, made[0].service, http)
