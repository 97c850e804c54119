"""An answer is what its body says, whatever its status."""

import json
from collections.abc import Callable

import pytest
from aiohttp import web

from pycurrent.plugins import slack
from pycurrent.term import Failed, FailureKind, Ok, Var
from pycurrent.testing import Harness

from .slack import TOKEN, Reply, Slack, error, page
from .waiting import over, over_in_time

Start = Callable[..., Harness]


def word(text: str, status: int = 200) -> Reply:
    """A webhook's answer."""
    return lambda request: web.Response(text=text, status=status)


def kind_of(h: Harness) -> FailureKind:
    """Whose failure it is."""
    assert isinstance(h.output, Failed)
    return h.output.kind


@pytest.mark.parametrize("code", ["internal_error", "service_unavailable", "fatal_error"])
async def test_a_trouble_of_slacks_is_waited_for(
    server: Slack, channel: slack.Channel, webhook: slack.Webhook, start: Start, code: str
) -> None:
    """As one with a status of its own is; in the end it is no fault of the message's."""
    for target, reply in ((channel, lambda request: error(code)), (webhook, word(code))):
        server.replies = [reply, reply]
        async with start(lambda target=target: slack.post(target, "hello", key="build")) as h:
            assert await over_in_time(h) == [2, 4]
            assert h.output == Ok(None)
        server.replies, server.calls = [reply] * 10, []
        async with start(lambda target=target: slack.post(target, "again", key="build")) as h:
            await over_in_time(h)
            assert h.output == Failed(f"Slack is out of order: {code} (tried 5 times)")
            assert kind_of(h) is FailureKind.INFRA
        assert len(server.calls) == 5
        server.replies = []
    assert server.texts == ["hello"]


@pytest.mark.parametrize("status", [200, 400])
async def test_a_limit_without_its_status_is_waited_for(
    server: Slack, channel: slack.Channel, webhook: slack.Webhook, start: Start, status: int
) -> None:
    """For as long as it says."""
    headers = {"Retry-After": "7"}

    def reply(request: web.Request) -> web.Response:
        if request.path.startswith("/api/"):
            said = {"ok": False, "error": "ratelimited"}
            return web.json_response(said, status=status, headers=headers)
        return web.Response(text="rate_limited", status=status, headers=headers)

    for target in (channel, webhook):
        server.replies = [reply]
        async with start(lambda target=target: slack.post(target, "hello", key="build")) as h:
            assert await over_in_time(h) == [7]
            assert h.output == Ok(None)


STRANGE: list[Reply] = [
    page(200),
    page(200, "text/plain"),
    word(""),
    word("okay, log in first"),
    word("[]"),
    word('{"ok": "true"}'),
    word(json.dumps({"success": True})),
    lambda request: web.json_response(["ok"]),
    lambda request: web.json_response({"ok": False}),
]


@pytest.mark.parametrize("reply", STRANGE)
async def test_what_is_not_slacks_is_no_success(
    server: Slack, channel: slack.Channel, webhook: slack.Webhook, start: Start, reply: Reply
) -> None:
    """A page where one logs in to the network, say; and it is not the message's fault."""
    for target in (channel, webhook):
        server.replies = [reply]
        async with start(lambda target=target: slack.post(target, "hello", key="build")) as h:
            await over(h)
            assert h.output == Failed(
                f"Slack refuses the message for {target.name}: the answer is not Slack's"
            )
            assert kind_of(h) is FailureKind.INFRA
    assert (server.texts, server.hooked) == ([], [])


async def test_webhooks_refuse_with_any_status(
    server: Slack, webhook: slack.Webhook, start: Start
) -> None:
    """By their word for it; and one for workflows says that it is done in another way."""
    server.replies = [word("invalid_payload"), word('{"ok":true}')]
    async with start(lambda: slack.post(webhook, "hello", key="build")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert kind_of(h) is FailureKind.REAL
        assert "invalid_payload" in h.output.message
        h.find("post").rebuild()
        await h.settle()
        await over(h)
        assert h.output == Ok(None)


@pytest.mark.parametrize("code", ["channel_not_found", "is_archived", "not_in_channel"])
async def test_a_channel_that_was_made_anew_gets_the_message_anew(
    server: Slack, channel: slack.Channel, start: Start, code: str
) -> None:
    """The old one's id is of no use then; the next change edits the new message."""
    text = Var("text", "one")
    async with start(lambda: slack.update(channel, text.get(), key="build")) as h:
        await over(h)
        server.replies = [lambda request: error(code)]
        for new in ("two", "three"):
            text.set(new)
            await h.settle()
            await over(h)
            assert isinstance(h.output, Ok)
    assert server.calls == ["chat.postMessage", "chat.update", "chat.postMessage", "chat.update"]
    assert server.texts == ["one", "three"]


async def test_a_channel_that_is_gone_is_a_failure(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Where there is none of that name either."""
    text = Var("text", "one")
    async with start(lambda: slack.update(channel, text.get(), key="build")) as h:
        await over(h)
        server.replies = [lambda request: error("channel_not_found")] * 2
        text.set("two")
        await h.settle()
        await over(h)
        assert isinstance(h.output, Failed)
        assert "channel_not_found" in h.output.message


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "localhost, 127.0.0.1", "*"])
async def test_hosts_that_need_no_proxy_are_asked_themselves(
    server: Slack, start: Start, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    """As the environment says; others are asked by way of it."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    webhook = slack.Webhook("#hook", server.hook)
    channel = slack.Channel("#builds", TOKEN, server.api)
    for variable, is_heeded in (("NO_PROXY", True), ("UNHEARD", False)):
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv(variable, no_proxy)
        for target in (webhook, channel):
            key = f"{variable} {target.name}"
            async with start(lambda t=target, key=key: slack.post(t, "hello", key=key)) as h:
                await over_in_time(h)
                assert isinstance(h.output, Ok) == is_heeded
