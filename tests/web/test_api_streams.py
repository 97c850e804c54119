"""Live events and growing logs over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

import pycurrent as current
from pycurrent import Level, Var
from pycurrent.web.settings import WebSettings

from .api import NO_JOB, Tasks, until
from .sites import FOR_ALL, RunningSite, running_site
from .writers import Writers, job_of

FOLLOWERS = 200
PATIENCE = 20.0


@dataclass(frozen=True)
class Sent:
    """An event as a browser gets it."""

    event: str
    data: Any
    id: str | None


class Stream:
    """A connection to a stream of events."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.last_id: str | None = None
        self.comments = 0

    async def events(self) -> AsyncIterator[Sent]:
        """As HTML's event streams are to be read."""
        fields: dict[str, str] = {}
        async for line in self.answer.aiter_lines():
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            else:
                self.last_id = fields.get("id", self.last_id)
                if "data" in fields:
                    event = fields.get("event", "message")
                    yield Sent(event, json.loads(fields["data"]), self.last_id)
                fields = {}


@asynccontextmanager
async def stream(
    site: RunningSite, path: str, *, after: str | None = None
) -> AsyncIterator[Stream]:
    """Connect as an EventSource does, which has seen the event `after`."""
    headers = {} if after is None else {"Last-Event-ID": after}
    async with (
        httpx.AsyncClient(timeout=PATIENCE, verify=False) as client,
        client.stream("GET", f"{site.url}/api/v1{path}", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer)


async def get(site: RunningSite, path: str) -> Any:
    async with httpx.AsyncClient(timeout=PATIENCE, verify=False) as client:
        return (await client.get(f"{site.url}/api/v1{path}")).json()


async def follow_states(site: RunningSite, after: str, wanted: dict[str, str]) -> list[Sent]:
    """The events up to the one with which boxes are in these states."""
    sent: list[Sent] = []
    states: dict[str, str] = {}
    async with asyncio.timeout(PATIENCE), stream(site, f"/events?after={after}") as connection:
        async for event in connection.events():
            sent.append(event)
            if event.event == "states":
                states.update({id: node["state"] for id, node in event.data.items()})
            if states.items() >= wanted.items():
                return sent
    raise AssertionError(f"the stream ended with {states}")


async def test_a_change_is_told(tmp_path: Path) -> None:
    """To who has read the diagram and follows from there on."""
    tasks = Tasks()
    async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
        graph = await get(site, "/pipeline")
        (node,) = graph["nodes"]
        wanted = {node["id"]: "ok"}
        following = asyncio.create_task(follow_states(site, graph["last_event"], wanted))
        await tasks.begun("a")
        tasks.end("a")
        await following


async def test_who_reconnects_sees_all_that_has_happened(tmp_path: Path) -> None:
    """The connection breaks again and again while a hundred boxes change: no state is missed."""
    tasks = Tasks()
    keys = [f"t{n}" for n in range(100)]
    pipeline = lambda: current.all([tasks.stage(key) for key in keys])  # noqa: E731
    async with running_site(pipeline, tmp_path) as site:
        await tasks.begun(keys[-1])
        graph = await get(site, "/pipeline")
        states = {node["id"]: node["state"] for node in graph["nodes"]}
        after, resets, ended = graph["last_event"], 0, iter(keys)
        while set(states.values()) != {"ok"}:
            for key in islice(ended, 7):
                tasks.end(key)
            async with stream(site, "/events", after=after) as connection:
                async with asyncio.timeout(PATIENCE):
                    async for event in connection.events():
                        resets += event.event == "reset"
                        if event.event == "states":
                            states |= {id: node["state"] for id, node in event.data.items()}
                        if connection.last_id != after:
                            break
                assert connection.last_id is not None
                after = connection.last_id
        assert resets == 0


async def test_who_was_away_for_too_long_is_told_to_read_anew(tmp_path: Path) -> None:
    """So is who comes from another engine, at the same address."""
    tasks = Tasks()
    async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
        for after in ("20200101T000000.000000Z-17", "nonsense"):
            async with stream(site, "/events", after=after) as connection:
                first = await anext(aiter(connection.events()))
                assert (first.event, first.data) == ("reset", {})
                assert first.id is not None
                assert first.id.startswith(f"{site.service.events.last.start}-")


async def test_a_new_stream_can_be_resumed_before_its_first_event(tmp_path: Path) -> None:
    """The browser knows an id from the beginning on."""
    tasks = Tasks()
    async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
        await tasks.begun("a")
        async with stream(site, "/events") as connection:
            begun = await anext(connection.answer.aiter_text())
        assert f"id: {site.service.events.last.start}-" in begun


async def test_structure_jobs_and_level_are_told(tmp_path: Path) -> None:
    """Each as an event of its own."""
    tasks = Tasks()
    keys = Var("keys", ["a"])
    async with running_site(lambda: keys.get().list_map(tasks.each), tmp_path) as site:
        await tasks.begun("a")
        graph = await get(site, "/pipeline")
        told: dict[str, Any] = {}
        jobs: set[str] = set()
        async with (
            asyncio.timeout(PATIENCE),
            stream(site, f"/events?after={graph['last_event']}") as connection,
        ):
            keys.set(["a", "b"])
            site.engine.config.confirm = Level.DANGEROUS
            async for event in connection.events():
                told[event.event] = event.data
                if event.event == "jobs":
                    jobs |= {job["description"] for job in event.data.values()}
                if told.keys() >= {"structure", "confirm"} and len(jobs) == 2:
                    break
        assert told["confirm"] == {"level": "dangerous"}
        assert told["structure"]["version"] > graph["version"]
        assert jobs == {"task a", "task b"}


async def test_silence_is_filled(tmp_path: Path) -> None:
    """So that nobody in between takes the connection for dead; and nothing is lost by it."""
    tasks = Tasks()
    settings = WebSettings(port=0, keep_alive=0.01, access=FOR_ALL)
    async with running_site(lambda: tasks.stage("a"), tmp_path, settings=settings) as site:
        await tasks.begun("a")
        async with httpx.AsyncClient(base_url=site.url) as client:
            # States are told of diagrams that somebody has read.
            assert (await client.get("/api/v1/pipeline")).status_code == 200
        async with asyncio.timeout(PATIENCE), stream(site, "/events") as connection:
            reading = asyncio.create_task(states_of(connection))
            await until(lambda: connection.comments > 3)
            tasks.end("a")
            assert "ok" in await reading


async def states_of(connection: Stream) -> set[str]:
    """Those that the first event of states has after a silence."""
    async for event in connection.events():
        if event.event == "states" and connection.comments > 3:
            return {node["state"] for node in event.data.values()}
    return set()


async def test_streams_end_with_the_server(tmp_path: Path) -> None:
    """At once: clients come back to the next one."""
    tasks = Tasks()
    async with asyncio.timeout(PATIENCE):
        async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
            job = (await tasks.begun("a")).id
            connections = [
                asyncio.create_task(read_to_end(site, path))
                for path in ["/events", f"/jobs/{job}/log/stream"] * 3
            ]
            await until(lambda: site.service.events.followers == 3)
        ended = await asyncio.gather(*connections)
    assert "end" not in {event for events in ended for event in events}


async def read_to_end(site: RunningSite, path: str) -> list[str]:
    async with stream(site, path) as connection:
        return [event.event async for event in connection.events()]


async def test_who_goes_away_is_forgotten(tmp_path: Path) -> None:
    """A cut connection leaves nothing behind."""
    tasks = Tasks()
    async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
        job = (await tasks.begun("a")).id
        async with stream(site, "/events"), stream(site, f"/jobs/{job}/log/stream") as log:
            await anext(aiter(log.events()))
            assert site.service.events.followers == 1
            assert site.service.logs._shared
        await until(lambda: not site.service.events.followers and not site.service.logs._shared)


class Page:
    """What a page shows of a log."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}

    async def follow(self, site: RunningSite, path: str, client: httpx.AsyncClient) -> None:
        """To the end, with a break of the connection in the middle of it."""
        after = None
        for breaks in (True, False):
            headers: dict[str, str] = {} if after is None else {"Last-Event-ID": after}
            async with client.stream("GET", f"{site.url}/api/v1{path}", headers=headers) as answer:
                connection = Stream(answer)
                async for event in connection.events():
                    if event.event == "end":
                        return
                    self._show(event)
                    if breaks and len(self.lines) > 300:
                        break
                after = connection.last_id

    def _show(self, event: Sent) -> None:
        for number, line in enumerate(event.data["lines"], event.data["first"]):
            self.lines[number] = line["text"]

    @property
    def text(self) -> str:
        return "".join([f"{line}\n" for line in self.lines.values()])


async def test_many_viewers_of_a_growing_log_lose_nothing(tmp_path: Path) -> None:
    """Not even when their connections break."""
    tasks = Tasks()
    pages = [Page() for _ in range(FOLLOWERS)]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with (
        running_site(lambda: tasks.stage("a"), tmp_path) as site,
        httpx.AsyncClient(timeout=60, limits=limits) as client,
    ):
        job = await tasks.begun("a")
        path = f"/jobs/{job.id}/log/stream"
        viewers = [asyncio.create_task(page.follow(site, path, client)) for page in pages]
        for burst in range(10):
            job.write("".join([f"burst {burst} line {n}\n" for n in range(100)]))
            await asyncio.sleep(0.05)
        tasks.end("a")
        await asyncio.gather(*viewers)
        text = site.service.logs.source(job.id).text()
        assert [page.text == text for page in pages] == [True] * FOLLOWERS


async def test_a_log_that_is_not_there_is_no_stream(tmp_path: Path) -> None:
    """It is a problem like any other."""
    tasks = Tasks()
    async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
        answer = await get(site, f"/jobs/{NO_JOB}/log/stream")
        assert answer["status"] == 404


def of(*addresses: str) -> str:
    """The address of several streams over one connection."""
    return f"/streams?{urlencode([('of', address) for address in addresses])}"


async def parts(connection: Stream, addresses: int) -> AsyncIterator[tuple[int, Sent]]:
    """The events of several streams, each with the number of its stream."""
    number = -1
    async for sent in connection.events():
        if sent.event == "of":
            assert sent.data in range(addresses)
            number = sent.data
        elif sent.event == "over":
            yield sent.data["stream"], sent
        else:
            yield sent.data if sent.event == "begun" else number, sent


async def test_several_streams_come_over_one_connection(tmp_path: Path) -> None:
    """Each as if it were alone: with its own ids, from where it is to go on, until it has ended."""
    writers = Writers(("a", "b"))
    async with running_site(writers.pipeline, tmp_path) as site:
        jobs = [await writers.job(key) for key in "ab"]
        for key, job in zip("ab", jobs, strict=True):
            job.write(f"one of {key}\ntwo of {key}\n")
            writers.end(key)
        logs = [f"/jobs/{job.id}/log/stream?from={at}" for at, job in enumerate(jobs)]
        for address in logs:  # until the job has ended
            _ = [sent async for sent in lines_of(site, address)]
        alone = [[sent async for sent in lines_of(site, address)] for address in logs]
        together: list[list[Sent]] = [[], [], []]
        begun, ended = {}, set()
        path = of(*logs, "/events?fold=true")
        async with asyncio.timeout(PATIENCE), stream(site, path) as connection:
            async for number, sent in parts(connection, 3):
                if sent.event == "begun":
                    begun[number] = sent.id
                elif sent.event == "over":
                    assert sent.data == {"stream": number, "status": 200}
                    ended.add(number)
                else:
                    together[number].append(sent)
                if len(ended) == 2 and len(begun) == 3:
                    break
    assert [[(sent.event, sent.data) for sent in one] for one in together[:2]] == [
        [(sent.event, sent.data) for sent in one] for one in alone
    ]
    assert [[sent.id for sent in one if sent.event == "lines"] for one in together[:2]] == [
        [sent.id for sent in one if sent.event == "lines"] for one in alone
    ]
    assert (begun[0], begun[1]) == ("0", "1")
    assert begun[2]


async def lines_of(site: RunningSite, address: str) -> AsyncIterator[Sent]:
    """All that the stream of a log brings whose job has ended."""
    async with asyncio.timeout(PATIENCE), stream(site, address) as connection:
        async for sent in connection.events():
            yield sent
            if sent.event == "end":
                return


async def test_a_stream_that_is_refused_does_not_hold_the_others(tmp_path: Path) -> None:
    """It ends with the status that it would have had alone."""
    tasks = Tasks()
    async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
        await tasks.begun("a")
        path = of(f"/jobs/{NO_JOB}/log/stream", "/events?bogus=1", "/events")
        status, begun = {}, set()
        async with asyncio.timeout(PATIENCE), stream(site, path) as connection:
            async for number, sent in parts(connection, 3):
                if sent.event == "over":
                    status[number] = sent.data["status"]
                elif sent.event == "begun":
                    begun.add(number)
                if len(status) == 2 and begun:
                    break
        assert status == {0: 404, 1: 422}
        assert begun == {2}
        await until(lambda: site.service.events.followers == 0)


async def test_only_streams_come_over_one_connection(tmp_path: Path) -> None:
    """And not without end: other addresses are refused."""
    tasks = Tasks()
    async with running_site(lambda: tasks.stage("a"), tmp_path) as site:
        for path in ("/streams", of("/jobs"), of("/streams?of=/events"), of(*["/events"] * 101)):
            assert (await get(site, path))["status"] == 422


async def test_a_log_that_grows_fast_does_not_hold_up_other_streams(tmp_path: Path) -> None:
    """They take turns: the line of a quiet one comes between those of 100,000 lines."""
    writers = Writers(("loud", "quiet"))
    async with running_site(writers.pipeline, tmp_path) as site:
        loud, quiet = await writers.job("loud"), await writers.job("quiet")
        loud.write("x" * 60 + "\n" + ("y" * 60 + "\n") * 100_000)
        quiet.write("psst\n")
        logs = [f"/jobs/{job_of(site, key)}/log/stream" for key in ("loud", "quiet")]
        async with asyncio.timeout(PATIENCE), stream(site, of(*logs)) as connection:
            heard = 0
            async for number, sent in parts(connection, 2):
                if sent.event != "lines":
                    continue
                if number == 1:
                    break
                heard += len(sent.data["lines"])
        assert heard < 50_000
        writers.end("loud")
        writers.end("quiet")
