"""Many viewers of a site in one process: clients that follow a log and the pipeline's events.

    python -m benchmarks.viewers HOST PORT JOB_ID AFTER COUNT
    python -m benchmarks.viewers HOST PORT --pages COUNT

Prints "ready" once all follow. Each follows the events until the confirmation level is changed,
and the log until its end; with `--pages` it has the pages of the jobs and of the pipeline open
instead, as a browser. Then it prints what they have seen.
Standard library only: its processor time is to be the server's, as far as can be.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

_FRAME_LIMIT = 16 << 20
_PARTS = re.compile(rb"^(id|event|data): ?(.*)$", re.MULTILINE)


class Parsed:
    """Frames are the same for all viewers: each is parsed once."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, str, Any]] = {}

    def __call__(self, frame: bytes) -> tuple[str, str, Any]:
        """Id, name and data of an event."""
        found = self._known.get(frame)
        if found is None:
            parts = dict(_PARTS.findall(frame))
            data = json.loads(parts.get(b"data") or b"null")
            found = parts.get(b"id", b"").decode(), parts.get(b"event", b"").decode(), data
            if len(self._known) > 1000:
                self._known.clear()
            self._known[frame] = found
        return found


async def frames(host: str, port: int, path: str) -> AsyncIterator[bytes]:
    """The events of a stream, as bytes; the first one is the preamble."""
    reader, writer = await asyncio.open_connection(host, port, limit=_FRAME_LIMIT)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(head.decode())
        body = bytearray()
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size + 2)
            del body[-2:]
            while (end := body.find(b"\n\n")) >= 0:
                yield bytes(body[:end])
                del body[: end + 2]
    finally:
        writer.close()


@dataclass
class Viewers:
    """All viewers, and what they have seen."""

    host: str
    port: int
    parsed: Parsed = field(default_factory=Parsed)
    ready: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    bytes: int = 0
    events: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    gaps: int = 0

    async def follow_events(self, after: str) -> None:
        """Until the confirmation level is changed."""
        ids: list[str] = []
        self.events.append(ids)
        path = f"/api/v1/events?after={after}"
        async for frame in frames(self.host, self.port, path):
            self.bytes += len(frame)
            id, event, _ = self.parsed(frame)
            if not event and not ids:
                self.ready.release()
            if event == "reset":
                self.gaps += 1
            if id:
                ids.append(id)
            if event == "confirm":
                return

    async def follow_log(self, job_id: str) -> None:
        """Until its end. The lines have numbers, so that one that is missing is noticed."""
        seen: int | None = None
        path = f"/api/v1/jobs/{job_id}/log/stream"
        async for frame in frames(self.host, self.port, path):
            self.bytes += len(frame)
            id, event, data = self.parsed(frame)
            if seen is None:
                seen = 0
                self.ready.release()
            if event == "end":
                break
            if event == "lines":
                self.gaps += data["first"] != seen
                seen = int(id)
        self.lines.append(seen or 0)

    def lost_events(self) -> int:
        """Ids of events that should follow each other, and don't."""
        numbers = [[int(id.rpartition("-")[2]) for id in ids] for ids in self.events]
        return sum(after != before + 1 for ids in numbers for before, after in pairwise(ids))


@dataclass
class Pages:
    """One who has the pages of the jobs and of the pipeline open."""

    host: str
    port: int
    parsed: Parsed
    jobs: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    """The changes since the jobs were asked for."""
    states: dict[str, str] = field(default_factory=dict)
    resets: int = 0
    structure: int = 0

    async def follow(self, ready: asyncio.Semaphore) -> None:
        """Until the confirmation level is changed."""
        last = await self.read_pipeline()
        await self.read_jobs()
        reading = asyncio.create_task(self._read_again())
        async for frame in frames(self.host, self.port, f"/api/v1/events?fold=true&after={last}"):
            _, event, data = self.parsed(frame)
            match event:
                case "":
                    ready.release()
                case "jobs":
                    self.told.update(data)
                    self._apply(data)
                case "states":
                    known = ((id, box["state"]) for id, box in data.items() if id in self.states)
                    self.states.update(known)
                case "structure":
                    self.structure += 1
                    await self.read_pipeline()
                case "reset":
                    self.resets += 1
                case "confirm":
                    break
        reading.cancel()

    async def _read_again(self) -> None:
        """As the page of the jobs does while some wait in a queue."""
        while True:
            await asyncio.sleep(2)
            await self.read_jobs()

    async def read_jobs(self) -> None:
        self.told.clear()
        page = await self._get("/api/v1/jobs?limit=1000")
        self.jobs = {job["id"]: job for job in page["jobs"]}
        self._apply(self.told)

    def _apply(self, jobs: dict[str, Any]) -> None:
        self.jobs.update((id, job) for id, job in jobs.items() if id in self.jobs)

    async def read_pipeline(self) -> str:
        snapshot = await self._get("/api/v1/pipeline?fold=true")
        self.states = {box["id"]: box["state"] for box in snapshot["nodes"] if "state" in box}
        last: str = snapshot["last_event"]
        return last

    async def _get(self, path: str) -> Any:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        asked = f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nConnection: close"
        writer.write(f"{asked}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(head.decode())
        return json.loads(body)


async def look_on(host: str, port: str, count: str) -> None:
    parsed, ready = Parsed(), asyncio.Semaphore(0)
    pages = [Pages(host, int(port), parsed) for _ in range(int(count))]
    async with asyncio.TaskGroup() as group:
        for one in pages:
            group.create_task(one.follow(ready))
        for _ in pages:
            await ready.acquire()
        print("ready", flush=True)
    print(
        json.dumps(
            {
                "resets": sum(one.resets for one in pages),
                "jobs_left": sum(job is not None for one in pages for job in one.jobs.values()),
                "stages_not_ok": sum(s != "ok" for one in pages for s in one.states.values()),
            }
        )
    )


async def main(host: str, port: str, job_id: str, after: str, count: str) -> None:
    viewers = Viewers(host, int(port))
    async with asyncio.TaskGroup() as group:
        for _ in range(int(count)):
            group.create_task(viewers.follow_events(after))
            group.create_task(viewers.follow_log(job_id))
        for _ in range(2 * int(count)):
            await viewers.ready.acquire()
        print("ready", flush=True)
    print(
        json.dumps(
            {
                "lost_events": viewers.lost_events(),
                "gaps": viewers.gaps,
                "lines": sorted(set(viewers.lines)),
                "last": sorted({ids[-1] for ids in viewers.events}),
                "events": len(viewers.events[0]),
                "bytes": viewers.bytes,
            }
        )
    )


if __name__ == "__main__":
    asked = [each for each in sys.argv[1:] if each != "--pages"]
    asyncio.run(look_on(*asked) if "--pages" in sys.argv else main(*asked))
