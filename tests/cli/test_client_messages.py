"""What the client says when it can't do what it is asked for: one line, with what to do."""

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pycurrent.cli.app import make_app
from pycurrent.cli.client.remote import Remote
from pycurrent.cli.client.status import ClientExit, Unreachable
from pycurrent.cli.end import status_of
from pycurrent.cli.library import call

from .commands import Ended

ID = "2026-11-26/120000-frob-0a1b2c"


class Wire:
    """The client in a thread, and whatever answers it."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    async def ask(self, *arguments: str) -> Ended:
        tokens = ["client", *arguments]
        self._capture.readouterr()
        status = await asyncio.to_thread(status_of, "pycurrent", lambda: call(make_app(), tokens))
        captured = self._capture.readouterr()
        return Ended(status, captured.out, captured.err)

    async def told(self, sent: bytes, *arguments: str) -> tuple[int, str]:
        """The status and the one line on stderr, with URL for the address."""
        async with answering(sent) as url:
            ended = await self.ask("--url", url, *arguments)
        assert ended.err.startswith("pycurrent: ")
        assert ended.err.count("\n") == 1, ended.err
        return ended.status, ended.err.removeprefix("pycurrent: ").rstrip("\n").replace(url, "URL")


@pytest.fixture
def wire(capsys: pytest.CaptureFixture[str]) -> Wire:
    return Wire(capsys)


@asynccontextmanager
async def answering(sent: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that sends this for each request, and closes the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(sent)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", ssl=context) as server:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def response(status: str, body: object, kind: str = "application/json") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def problem(status: str, detail: str) -> bytes:
    return response(status, {"title": "No", "detail": detail}, "application/problem+json")


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        pytest.param(
            problem("404 Not Found", f"job '{ID}' does not exist"),
            ClientExit.USAGE,
            f"job '{ID}' does not exist: `pycurrent client jobs` and `query` list those there are",
            id="unknown job",
        ),
        pytest.param(
            problem("401 Unauthorized", "log in, or send a token"),
            ClientExit.REFUSED,
            "log in, or send a token (give a token by --token-file or $PYCURRENT_TOKEN, or say by"
            " --state-dir which state directory of this machine the engine uses)",
            id="unauthorised",
        ),
        pytest.param(
            problem("403 Forbidden", "this takes the role builder"),
            ClientExit.REFUSED,
            "this takes the role builder: give the token of somebody who may do so by --token-file"
            " or $PYCURRENT_TOKEN",
            id="forbidden",
        ),
        pytest.param(
            problem("429 Too Many Requests", "logging in has failed too often: try again in 9 s"),
            ClientExit.REFUSED,
            "logging in has failed too often: try again in 9 s",
            id="too often",
        ),
        pytest.param(
            problem("503 Service Unavailable", "the database is locked"),
            ClientExit.UNREACHABLE,
            "URL can't answer (503: the database is locked): see what the engine, or the proxy"
            " before it, says on its stderr",
            id="can't answer",
        ),
        pytest.param(
            response("502 Bad Gateway", b"<html>down</html>", "text/html"),
            ClientExit.UNREACHABLE,
            "URL can't answer (502: Bad Gateway): see what the engine, or the proxy before it, says"
            " on its stderr",
            id="proxy",
        ),
        pytest.param(
            b"",
            ClientExit.UNREACHABLE,
            "URL has closed the connection: the engine has ended, or that port takes https:// only",
            id="server gone",
        ),
        pytest.param(
            b"220 mail ESMTP\r\n",
            ClientExit.UNREACHABLE,
            "what answers at URL is not a pycurrent engine: check --url",
            id="not HTTP",
        ),
        pytest.param(
            response("200 OK", b"<html></html>", "text/html"),
            ClientExit.UNREACHABLE,
            "what answers at URL is not a pycurrent engine: check --url",
            id="not JSON",
        ),
        pytest.param(
            response("200 OK", b'{"id": "x"'),
            ClientExit.UNREACHABLE,
            "what answers at URL is not a pycurrent engine: check --url",
            id="broken JSON",
        ),
        pytest.param(
            response("200 OK", b'{"id": "x"}').replace(b"Length: 11", b"Length: 99"),
            ClientExit.UNREACHABLE,
            "what answers at URL is not a pycurrent engine: check --url",
            id="cut off",
        ),
        pytest.param(
            response("200 OK", [1]),
            ClientExit.UNREACHABLE,
            "what answers at URL is not a pycurrent engine: check --url",
            id="another JSON",
        ),
        pytest.param(
            response("200 OK", {"id": ID}),
            ClientExit.UNREACHABLE,
            "URL has answered without 'entry': it is not a pycurrent engine, or one of another"
            " version",
            id="another version",
        ),
    ],
)
async def test_each_answer_but_a_good_one_is_told_in_a_line(
    wire: Wire, sent: bytes, status: ClientExit, said: str
) -> None:
    """What is wrong, and what to do about it; the exit status tells the kinds apart."""
    assert await wire.told(sent, "status", ID) == (status, said)


async def test_what_the_engine_does_not_have_is_of_another_version(wire: Wire) -> None:
    """An answer in words of its own tells what else there is not."""
    for body in (
        problem("404 Not Found", "Not Found"),
        response("404 Not Found", b"", "text/html"),
    ):
        assert await wire.told(body, "overview") == (
            ClientExit.USAGE,
            "URL does not have /api/v1/overview: is the engine of another version?",
        )
    said = problem("404 Not Found", "'x' is not pinned: nothing is")
    assert await wire.told(said, "unpin", "x") == (
        ClientExit.USAGE,
        "'x' is not pinned: nothing is",
    )


async def test_a_refusal_is_told_for_each_job(wire: Wire) -> None:
    """On stdout, as what has become of the others is."""
    async with answering(problem("409 Conflict", "it has ended: ok")) as url:
        ended = await wire.ask("--url", url, "cancel", ID)
    assert ended == Ended(ClientExit.REFUSED, f"{ID}  refused: it has ended: ok\n", "")


async def test_a_host_that_is_not_known_is_named(wire: Wire) -> None:
    """With the option that names it; `invalid` is never known (RFC 6761)."""
    ended = await wire.ask("--url", "http://ci.invalid", "jobs")
    assert ended.status == ClientExit.UNREACHABLE
    assert ended.err.startswith("pycurrent: the host of http://ci.invalid is not known (")
    assert ended.err.endswith("): check --url\n")


async def test_who_does_not_answer_is_given_up() -> None:
    """After a time that is named."""
    silent: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)

    async with await asyncio.start_server(accept, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        remote = Remote(url, None, patience=0.2)
        with pytest.raises(Unreachable) as raised:
            await asyncio.to_thread(remote.get, "/jobs")
        for writer in silent:
            writer.close()
    assert str(raised.value) == (
        f"{url} has not answered within 0.2 s: try again, or see whether the engine there is still"
        " at work"
    )


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """The server's side of TLS, with a certificate that nobody trusts."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=127.0.0.1", "-days", "1", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_a_certificate_that_is_not_trusted_is_told(
    wire: Wire, certificate: ssl.SSLContext
) -> None:
    """With how to have it trusted."""
    async with answering(b"", certificate) as url:
        ended = await wire.ask("--url", url, "jobs")
    assert (ended.status, ended.err) == (
        ClientExit.UNREACHABLE,
        f"pycurrent: the certificate of {url} is not trusted (self-signed certificate): have this"
        " machine trust who signed it, or name that certificate's file in $SSL_CERT_FILE\n",
    )


@pytest.mark.parametrize(
    ("swap", "said"),
    [
        (lambda url: url.replace("https:", "http:"), "or that port takes https:// only"),
        (lambda url: url, "give an address that begins with http://"),
    ],
    ids=["http to https", "https to http"],
)
async def test_the_wrong_scheme_is_told(
    wire: Wire, certificate: ssl.SSLContext, swap: Callable[[str], str], said: str
) -> None:
    """Whichever of the two it is."""
    wants_tls = "http:" in swap("https:")
    async with answering(response("200 OK", {}), certificate if wants_tls else None) as url:
        asked = swap(url) if wants_tls else url.replace("http:", "https:")
        ended = await wire.ask("--url", asked, "jobs")
    assert ended.status == ClientExit.UNREACHABLE
    assert said in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("waits",), ("jobs", "--fast"), ("status",)])
async def test_what_the_client_does_not_know_is_told_with_where_to_look(
    wire: Wire, arguments: tuple[str, ...]
) -> None:
    """A command, an option, or a value that is missing."""
    ended = await wire.ask(*arguments)
    assert ended.status == ClientExit.USAGE
    assert ended.err.endswith("; see --help\n")
    assert ended.err.count("\n") == 1
