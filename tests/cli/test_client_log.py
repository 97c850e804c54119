"""Following a log over connections that break."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from pycurrent.cli.app import make_app
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.end import status_of
from pycurrent.cli.library import call

JOB = "2026-11-22/104453-frob-a38bc9"


class Shaky:
    """Answers as an engine does, but ends the first stream in the middle."""

    def __init__(self) -> None:
        self.log = b"one\ntwo\n"
        self.streams = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        parts = urlsplit(head.split(" ")[1])
        kind, body = self.answer(parts.path.rpartition("/")[2], parse_qs(parts.query))
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def answer(self, what: str, query: dict[str, list[str]]) -> tuple[str, bytes]:
        match what:
            case "lines":
                window = {"first": 0, "lines": [], "total": 2, "complete": 2, "size": 8}
                return "application/json", json.dumps(window).encode()
            case "log":
                return "text/plain", self.log[int(query["offset"][0]) :]
            case "stream":
                self.streams += 1
                if self.streams == 1:
                    self.log += b"three\n"
                    return "text/event-stream", b"retry: 1000\n\n"
                self.log += b"four"
                return "text/event-stream", b"event: end\ndata: {}\n\n"
            case _:
                return "application/json", json.dumps({"entry": {"end": "ok"}}).encode()


@pytest.fixture
async def shaky() -> AsyncIterator[Shaky]:
    engine = Shaky()
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    async with server:
        engine.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield engine


async def test_a_stream_that_breaks_off_is_taken_up_again_without_a_gap(
    shaky: Shaky, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What was written meanwhile is shown once, and the end is that of the job."""
    tokens = ["client", "--url", shaky.url, "log", "-f", JOB]
    status = await asyncio.to_thread(status_of, "pycurrent", lambda: call(make_app(), tokens))
    assert status == ClientExit.OK
    assert capsysbinary.readouterr().out == b"one\ntwo\nthree\nfour"
    assert shaky.streams == 2
