"""An engine that is reached over HTTP.

It uses the standard library's client: a better HTTP library would take longer to import than most
requests take. It uses no proxy, and follows no redirects, which could carry the token elsewhere.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ssl import SSLCertVerificationError, SSLError
from typing import Any, Never, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from pycurrent.cli.client.status import AccessDenied, CantBeDone, Unreachable
from pycurrent.cli.output import one_line
from pycurrent.errors import UsageError

PREFIX = "/api/v1"
PATIENCE = 60.0
"""Seconds of silence after which we give the engine up. Streams are never silent for so long."""

_CONNECTIONS = {"http": HTTPConnection, "https": HTTPSConnection}
_PIECE = 1 << 16

Value: TypeAlias = str | int | bool | Sequence[str] | None
Query: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event of a stream: HTML Living Standard, 9.2."""

    name: str
    data: str
    id: str
    """The id after which to continue."""


class _Answer(dict[str, Any]):
    """An object of an answer. A missing field is the engine's fault, not the command's."""

    def __init__(self, values: dict[str, Any], url: str) -> None:
        super().__init__(values)
        self._url = url

    def __missing__(self, key: str) -> Never:
        raise Unreachable(
            f"{self._url} has answered without {key!r}: it is not a pycurrent engine, or one of"
            " another version"
        )


class Remote:
    """The API of one engine. Raises `CommandError` if the engine does not do as asked, and
    `UsageError` if it says that the request was wrong.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        why_no_token: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Raises `UsageError` if `url` is not the address of a site. Nothing is sent yet.

        `patience`: seconds to wait for the next bytes of an answer.
        """
        self._host = _host_of(url)
        self._make = _CONNECTIONS[urlsplit(url).scheme]
        self._token = token
        self._why_no_token = why_no_token
        self._patience = patience
        self.url = url.rstrip("/")

    # Each path has its own type of answer: the caller knows it.

    def get(self, path: str, /, **query: Value) -> Any:
        """Get the JSON at a path."""
        return self._json("GET", path, query)

    def post(self, path: str, body: object = None) -> Any:
        """Ask for an action."""
        return self._json("POST", path, body={} if body is None else body)

    def put(self, path: str, body: object) -> Any:
        return self._json("PUT", path, body=body)

    def text(self, path: str, **query: Value) -> Iterator[bytes]:
        """Read something other than JSON, in pieces."""
        with self._answer("GET", path, query) as response:
            while piece := self._read(response):
                yield piece

    def events(self, path: str, **query: Value) -> Iterator[ServerEvent | None]:
        """A stream of events; first None, once it has begun.

        It ends when the engine ends it, and raises `Unreachable` if it breaks off.
        """
        with self._answer("GET", path, query) as response:
            if response.headers.get_content_type() != "text/event-stream":
                raise self._no_engine()
            yield None
            yield from self._parsed(response)

    # Sending

    def _json(self, method: str, path: str, query: Query = {}, body: object = None) -> Any:  # noqa: B006
        with self._answer(method, path, query, body) as response:
            if response.headers.get_content_type() != "application/json":
                raise self._no_engine()
            with self._reached():
                answer = json.load(response, object_hook=partial(_Answer, url=self.url))
        if not isinstance(answer, _Answer):
            raise self._no_engine()
        return answer

    @contextmanager
    def _answer(
        self, method: str, path: str, query: Query, body: object = None
    ) -> Iterator[HTTPResponse]:
        """A good answer, with an unread body. Raises for others."""
        # Each on a new connection: an idle one may be closed by the time we use it.
        connection = self._make(self._host, timeout=self._patience)
        data = None if body is None else json.dumps(body).encode()
        try:
            with self._reached():
                target = f"{PREFIX}{path}{_query_text(query)}"
                connection.request(method, target, data, self._headers(data is not None))
                response = connection.getresponse()
            if response.status != 200:
                self._refuse(response, path)
            yield response
        finally:
            connection.close()

    def _headers(self, has_body: bool) -> dict[str, str]:
        headers = {"User-Agent": "pycurrent-client", "Connection": "close"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if has_body:
            headers["Content-Type"] = "application/json"
        return headers

    # Reading

    def _read(self, response: HTTPResponse) -> bytes:
        with self._reached():
            return response.read1(_PIECE)

    def _parsed(self, response: HTTPResponse) -> Iterator[ServerEvent]:
        name, data, last = "message", list[str](), ""
        while True:
            with self._reached():
                line = response.readline()
            if not line:
                return
            field, _, value = line.decode().rstrip("\r\n").partition(":")
            value = value.removeprefix(" ")
            match field:
                case "event":
                    name = value
                case "data":
                    data.append(value)
                case "id":
                    last = value
                case "" if not value and line.strip() == b"":
                    if data:
                        yield ServerEvent(name, "\n".join(data), last)
                    name, data = "message", []

    # Errors

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise Unreachable(
                f"{self.url} has not answered within {self._patience:g} s: try again, or see"
                " whether the engine there is still at work"
            ) from error
        except ConnectionRefusedError as error:
            raise Unreachable(
                f"no engine runs at {self.url}: start one with `pycurrent run`, or say where it"
                " is with --url"
            ) from error
        except socket.gaierror as error:
            why = error.strerror
            raise Unreachable(
                f"the host of {self.url} is not known ({why}): check --url"
            ) from error
        except SSLCertVerificationError as error:
            raise Unreachable(
                f"the certificate of {self.url} is not trusted ({error.verify_message}): have this"
                " machine trust who signed it, or name that certificate's file in $SSL_CERT_FILE"
            ) from error
        except SSLError as error:
            raise Unreachable(
                f"{self.url} does not speak TLS: give an address that begins with http://"
            ) from error
        except ConnectionResetError as error:
            raise Unreachable(
                f"{self.url} has closed the connection: the engine has ended, or that port takes"
                " https:// only"
            ) from error
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Unreachable(f"{self.url} can't be reached ({why}): check --url") from error
        except (HTTPException, ValueError) as error:
            raise self._no_engine() from error

    def _no_engine(self) -> Unreachable:
        return Unreachable(f"what answers at {self.url} is not a pycurrent engine: check --url")

    def _refuse(self, response: HTTPResponse, path: str) -> None:
        """Raise the error for the status."""
        why = self._why(response)
        match response.status:
            case 401:
                raise AccessDenied(f"{why} ({self._how_to_get_in()})")
            case 403:
                raise AccessDenied(
                    f"{why}: give the token of somebody who may do so by --token-file or"
                    " $PYCURRENT_TOKEN"
                )
            case 429:
                raise AccessDenied(why)
            case 409 | 410:
                raise CantBeDone(why)
            case 404 if path.startswith("/jobs/"):
                raise UsageError(f"{why}: `pycurrent client jobs` and `query` list those there are")
            case 404 if why != HTTPStatus.NOT_FOUND.phrase:
                raise UsageError(why)
            case 404:
                raise UsageError(
                    f"{self.url} does not have {PREFIX}{path}: is the engine of another version?"
                )
            case 400 | 413 | 422:
                raise UsageError(why)
            case 301 | 302 | 303 | 307 | 308:
                raise Unreachable(self._leads_to(response.headers.get("Location", "")))
            case status:
                raise Unreachable(
                    f"{self.url} can't answer ({status}: {why}): see what the engine, or the proxy"
                    " before it, says on its stderr"
                )

    def _leads_to(self, where: str) -> str:
        """The message for an address that redirects to another one."""
        url = _site_of(where)
        if url is None or url == self.url:
            return (
                f"{self.url} leads to {one_line(where) or 'nowhere'}: what answers there wants"
                " something first that only a browser can do, such as a login of a proxy"
            )
        return f"{self.url} leads to {one_line(where)}: give {url} as --url"

    def _how_to_get_in(self) -> str:
        if self._token is not None:
            return "give a valid token by --token-file or $PYCURRENT_TOKEN"
        return self._why_no_token or (
            "give a token by --token-file or $PYCURRENT_TOKEN, or say by --state-dir which state"
            " directory of this machine the engine uses"
        )

    def _why(self, response: HTTPResponse) -> str:
        """The engine's own message (RFC 9457)."""
        with self._reached():
            body = response.read(_PIECE)
        try:
            problem = json.loads(body)
            return one_line(str(problem.get("detail") or problem["title"]))
        except (ValueError, KeyError, AttributeError):
            return response.reason or "no reason was given"


def job_path(job_id: str, rest: str = "") -> str:
    """The path of a job in the API."""
    return f"/jobs/{quote(job_id, safe='/')}{rest}"


def _site_of(address: str) -> str | None:
    """The value of `--url` for an address in an API; None for other addresses."""
    before, found, _ = address.partition(PREFIX)
    try:
        _host_of(before)
    except UsageError:
        return None
    return before.rstrip("/") if found else None


def _host_of(url: str) -> str:
    """The host, with the port if there is one. Raises `UsageError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    named = parts.hostname is not None and re.fullmatch(r"[\w.:%-]+", parts.hostname)
    if parts.scheme not in _CONNECTIONS or not named or parts.path.strip("/"):
        raise UsageError(
            f"{one_line(url)!r} is not the address of an engine: expected one such as"
            " http://127.0.0.1:8080"
        )
    assert parts.hostname is not None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if port is None else f"{host}:{port}"


def _query_text(query: Query) -> str:
    """Names may end with `_`, such as `from_`: the API's `from` is a keyword of Python."""
    given = {
        name.rstrip("_"): str(value).lower() if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not None
    }
    text = urlencode(given, doseq=True)
    return f"?{text}" if text else ""
