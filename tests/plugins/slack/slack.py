"""A server that behaves as Slack's webhooks and Web API do, and can be told to misbehave."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "xoxb-1111-very-secret-token"
HOOK = "services/T0001/B0001/very-secret-path"

Reply = Callable[[web.Request], web.StreamResponse]


@dataclass
class Seen:
    """A message that the server has."""

    channel: str
    text: str
    blocks: list[Any] = field(default_factory=list)


class Slack:
    """One workspace, with the channel #builds. Started on the loop of the test."""

    def __init__(self) -> None:
        self.messages: dict[str, Seen] = {}
        """Those of the bot, by their time."""
        self.hooked: list[Any] = []
        """What came by the webhook."""
        self.calls: list[str] = []
        """Each request, refused ones too."""
        self.replies: list[Reply] = []
        """What the next requests are answered, instead of being done."""
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/api/{method}", self._api)
        app.router.add_post("/services/{path:.*}", self._hook)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """It may be started again, at the same port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def api(self) -> str:
        return f"{self.url}/api/"

    @property
    def hook(self) -> str:
        return f"{self.url}/{HOOK}"

    @property
    def texts(self) -> list[str]:
        """What the channel shows."""
        return [message.text for message in self.messages.values()]

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        self.calls.append("webhook")
        if self.replies:
            return self.replies.pop(0)(request)
        if request.path != f"/{HOOK}":
            return web.Response(status=404, text="no_service")
        body = await request.json()
        if not body.get("text"):
            return web.Response(status=400, text="no_text")
        self.hooked.append(body)
        return web.Response(text="ok")

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if self.replies:
            return self.replies.pop(0)(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return error("invalid_auth")
        body = json.loads(await request.text())
        match method:
            case "chat.postMessage":
                return self._post(body)
            case "chat.update":
                return self._update(body)
            case _:
                return error("unknown_method")

    def _post(self, body: Any) -> web.Response:
        if body["channel"] != "#builds":
            return error("channel_not_found")
        if not body["text"]:
            return error("no_text")
        if any("type" not in block for block in body.get("blocks", [])):
            return error("invalid_blocks", messages=["[ERROR] missing required field: type"])
        ts = f"1700000000.{len(self.calls):06}"
        self.messages[ts] = Seen("C0001", body["text"], body.get("blocks", []))
        return web.json_response({"ok": True, "channel": "C0001", "ts": ts})

    def _update(self, body: Any) -> web.Response:
        if body["channel"] != "C0001":
            return error("channel_not_found")
        seen = self.messages.get(body["ts"])
        if seen is None:
            return error("message_not_found")
        seen.text = body["text"]
        seen.blocks = body.get("blocks", seen.blocks)
        return web.json_response({"ok": True, "channel": "C0001", "ts": body["ts"]})


def error(code: str, *, messages: Sequence[str] = ()) -> web.Response:
    """How the Web API refuses."""
    more = {"response_metadata": {"messages": list(messages)}} if messages else {}
    return web.json_response({"ok": False, "error": code, **more})


def limited(seconds: object) -> Reply:
    """Too many requests."""

    def reply(request: web.Request) -> web.Response:
        headers = {"Retry-After": str(seconds)}
        if request.path.startswith("/api/"):
            return web.json_response(
                {"ok": False, "error": "ratelimited"}, status=429, headers=headers
            )
        return web.Response(status=429, headers=headers, text="rate_limited")

    return reply


def hang_up(request: web.Request) -> web.Response:
    """Break off the connection without an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def page(status: int, kind: str = "text/html") -> Reply:
    """Something between has answered."""
    return lambda request: web.Response(status=status, text="<p>Sorry!</p>", content_type=kind)
