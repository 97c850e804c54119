"""A message that is edited in place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent import Active, Failed, Level, Ok, UsageError, Var
from pycurrent.engine import SystemClock
from pycurrent.engine.limits import Limits
from pycurrent.plugins import slack
from pycurrent.plugins.slack.topic import Topic
from pycurrent.plugins.slack.update import SlackUpdate
from pycurrent.testing import Harness, check_operation

from .slack import Slack, error, limited
from .waiting import over, over_in_time

Start = Callable[..., Harness]


async def test_one_message_follows_the_current(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """It is posted once, then edited; it stays what it was known as."""
    text = Var("text", "one")
    async with start(lambda: slack.update(channel, text.get(), key="build")) as h:
        await over(h)
        first = h.output
        for new in ("two", "three", "one"):
            text.set(new)
            await over(h)
            assert server.texts == [new]
            assert h.output == first
        assert isinstance(first, Ok)
        assert first.value == slack.Posted("C0001", next(iter(server.messages)))
    assert server.calls == ["chat.postMessage", *["chat.update"] * 3]


async def test_a_restart_edits_the_same_message(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """And an unchanged one is left alone."""
    for new in ("one", "one", "two"):
        async with start(lambda new=new: slack.update(channel, new, key="build")) as h:
            await over(h)
            assert isinstance(h.output, Ok)
    assert server.texts == ["two"]
    assert server.calls == ["chat.postMessage", "chat.update"]


async def test_a_failure_does_not_lose_the_message(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Whatever has gone wrong meanwhile, and after a restart."""
    text = Var("text", "one")
    async with start(lambda: slack.update(channel, text.get(), key="build")) as h:
        await over(h)
        for new in ("two", "three"):
            server.replies = [lambda request: error("invalid_auth")]
            text.set(new)
            await over(h)
            await h.until(lambda: isinstance(h.output, Failed))
    async with start(lambda: slack.update(channel, "four", key="build")) as h:
        await over(h)
    assert server.texts == ["four"]
    assert len(server.messages) == 1


async def test_each_key_has_its_own_message(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """As many as there are things to tell of."""
    names = Var("names", ["a", "b"])

    def pipeline() -> Any:
        return names.get().list_map(lambda name: slack.update(channel, name, key=name))

    async with start(pipeline) as h:
        await over(h)
        names.set(["a", "b", "c"])
        await over(h)
    assert sorted(server.texts) == ["a", "b", "c"]


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_message_that_was_deleted_is_posted_anew(
    server: Slack, channel: slack.Channel, start: Start, code: str
) -> None:
    """Or is another bot's, or too old to be edited; from then on the new one is edited."""
    text = Var("text", "one")
    async with start(lambda: slack.update(channel, text.get(), key="build")) as h:
        await over(h)
        server.messages.clear()
        server.replies = [lambda request: error(code)]
        text.set("two")
        await over(h)
        assert server.texts == ["two"]
        assert code in h.log("update")
        text.set("three")
        await over(h)
    assert server.texts == ["three"]


async def test_blocks_go_when_the_message_has_none_any_more(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Slack would keep them."""
    message = Var("message", slack.Message("one", ({"type": "divider"},)))
    async with start(lambda: slack.update(channel, message.get(), key="build")) as h:
        await over(h)
        (seen,) = server.messages.values()
        assert seen.blocks == [{"type": "divider"}]
        message.set(slack.Message("two"))
        await over(h)
        assert (seen.text, seen.blocks) == ("two", [])


async def test_the_last_message_of_several_changes_is_shown(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Those that were overtaken while Slack had us wait are left out."""
    text = Var("text", "one")
    async with start(lambda: slack.update(channel, text.get(), key="build")) as h:
        await over(h)
        server.replies = [limited(60)]
        text.set("two")
        await h.until(lambda: h.clock.next_timer is not None)
        text.set("three")
        await h.settle()
        text.set("four")
        await over_in_time(h)
        await h.until(lambda: server.texts == ["four"])
    assert server.calls == ["chat.postMessage", *["chat.update"] * 3]


async def test_a_message_is_reported_while_it_is_edited(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """What comes after it does not wait."""
    text = Var("text", "one")
    async with start(lambda: slack.update(channel, text.get(), key="build")) as h:
        await over(h)
        server.replies = [limited(60)]
        text.set("two")
        await h.until(lambda: h.clock.next_timer is not None)
        assert not isinstance(h.output, Active)
        await over_in_time(h)


def test_a_webhook_can_not_edit(webhook: slack.Webhook) -> None:
    """That is said at once."""
    with pytest.raises(UsageError, match="is a webhook, which can't edit"):
        slack.update(webhook, "hello", key="build")  # type: ignore[arg-type]


async def test_update_keeps_the_rules_of_operations(channel: slack.Channel, tmp_path: Path) -> None:
    """What each operation has to keep."""
    await check_operation(
        SlackUpdate(channel, SystemClock(), Limits(Level.ABOVE_AVERAGE), lambda topic: None),
        Topic("#builds", "build"),
        slack.Message("one"),
        failing=(Topic("#builds", "build"), slack.Message("")),
        state_dir=tmp_path / "check",
    )
