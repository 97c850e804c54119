"""Messages that are posted when they change."""

from collections.abc import Callable
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Active, Activity, Failed, Level, Ok, Output, Pool, UsageError, Var
from pycurrent.engine import SystemClock
from pycurrent.engine.limits import Limits
from pycurrent.plugins import slack
from pycurrent.plugins.slack.post import SlackPost
from pycurrent.plugins.slack.topic import Topic
from pycurrent.testing import Harness, check_operation

from .slack import HOOK, TOKEN, Slack, error, hang_up, limited, page
from .waiting import over, over_in_time

Start = Callable[..., Harness]


async def test_a_message_is_posted_when_it_changes(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Each time; also if it goes back to what it was before."""
    text = Var("text", "one")
    async with start(lambda: slack.post(channel, text.get(), key="build")) as h:
        await over(h)
        assert h.output == Ok(None)
        for new in ("two", "two", "one"):
            text.set(new)
            await over(h)
    assert server.texts == ["one", "two", "one"]


async def test_a_webhook_takes_messages(
    server: Slack, webhook: slack.Webhook, start: Start
) -> None:
    """Text, and blocks."""
    blocks: tuple[dict[str, object], ...] = (
        {"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}, "fields": [1, 2.5]},
    )
    message = Var("message", slack.Message("plain"))
    async with start(lambda: slack.post(webhook, message.get(), key="build")) as h:
        await over(h)
        message.set(slack.Message("hello", blocks))
        await over(h)
        assert h.output == Ok(None)
    assert server.hooked == [{"text": "plain"}, {"text": "hello", "blocks": list(blocks)}]


async def test_a_message_is_not_posted_twice(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Neither by two users, nor after a restart."""

    def pipeline() -> current.Current[None]:
        one = slack.post(channel, "hello", key="build")
        return current.all([one, slack.post(channel, "hello", key="build")])

    for _ in range(2):
        async with start(pipeline) as h:
            await over(h)
            assert h.output == Ok(None)
    assert server.texts == ["hello"]


async def test_keys_keep_messages_apart(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """What is said of one thing has nothing to do with what is said of another."""
    key = Var("key", "b")

    def pipeline() -> current.Current[None]:
        one = slack.post(channel, "hello", key="a")
        return current.all([one, slack.post(channel, "bye", key=key.get())])

    async with start(pipeline) as h:
        await over(h)
        assert sorted(server.texts) == ["bye", "hello"]
        assert "post a to #builds" in h.dot()
        key.set("a")
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "hello" in h.output.message
        assert "bye" in h.output.message


async def test_nothing_is_posted_before_there_is_a_message(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """`state` makes one of what is pending or has failed."""
    build: Var[str] = Var("build", Active(Activity.RUNNING))

    def told(state: Output[str]) -> str:
        match state:
            case Ok(value):
                return f"built {value}"
            case Failed(why):
                return f"failed: {why}"
            case _:
                return "building"

    def pipeline() -> current.Current[None]:
        done = slack.post(channel, build.get(), key="done")
        state = slack.post(channel, build.get().state().map(told), key="state")
        return current.all([done.state().ignore(), state])

    async with start(pipeline) as h:
        await over(h)
        assert server.texts == ["building"]
        build.set(Failed("no space"))
        await over(h)
        assert server.texts == ["building", "failed: no space"]
        build.set(Ok("1.0"))
        await over(h)
    assert sorted(server.texts[2:]) == ["1.0", "built 1.0"]


@pytest.mark.parametrize("seconds", [1, 30, 3600])
async def test_slack_says_when_to_try_again(
    server: Slack,
    channel: slack.Channel,
    webhook: slack.Webhook,
    start: Start,
    seconds: int,
) -> None:
    """And is asked again then, by the engine's clock."""
    for target in (channel, webhook):
        server.replies = [limited(seconds), limited(seconds)]
        async with start(lambda target=target: slack.post(target, "hello", key="build")) as h:
            assert await over_in_time(h) == [seconds, seconds]
            assert h.output == Ok(None)
            assert f"trying again in {seconds} s" in h.log("post")
    assert server.texts == ["hello"]
    assert len(server.hooked) == 1


@pytest.mark.parametrize("said", ["soon", "-3", "inf", ""])
async def test_a_strange_wait_is_a_wait(
    server: Slack, channel: slack.Channel, start: Start, said: str
) -> None:
    """At least for a second."""
    server.replies = [limited(said)]
    async with start(lambda: slack.post(channel, "hello", key="build")) as h:
        (wait,) = await over_in_time(h)
        assert 1 <= wait <= 30
        assert h.output == Ok(None)


async def test_who_always_asks_to_wait_is_given_up(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """After a while."""
    server.replies = [limited(1)] * 100
    async with start(lambda: slack.post(channel, "hello", key="build")) as h:
        assert len(await over_in_time(h)) == 30
        assert h.output == Failed("Slack refuses the message for #builds: ratelimited")


@pytest.mark.parametrize("trouble", [hang_up, page(503), page(502, "text/plain")])
async def test_a_short_trouble_is_waited_for(
    server: Slack, channel: slack.Channel, webhook: slack.Webhook, start: Start, trouble: object
) -> None:
    """A connection that breaks off, or a server that is out of order."""
    for target in (channel, webhook):
        server.replies = [trouble, trouble]  # type: ignore[list-item]
        async with start(lambda target=target: slack.post(target, "hello", key="build")) as h:
            assert await over_in_time(h) == [2, 4]
            assert h.output == Ok(None)
    assert server.texts == ["hello"]
    assert len(server.hooked) == 1


async def test_a_server_that_is_not_there_is_named(
    server: Slack, webhook: slack.Webhook, start: Start
) -> None:
    """After some tries, with what is the matter and without the URL; a rebuild tries again."""
    await server.stop()
    async with start(lambda: slack.post(webhook, "hello", key="build")) as h:
        assert await over_in_time(h) == [2, 4, 8, 16]
        assert isinstance(h.output, Failed)
        port = webhook.url.split(":")[2].split("/")[0]
        assert h.output.message == (
            f"Slack can't be reached: 127.0.0.1 port {port}: connection refused (tried 5 times)"
        )
        await server.start()
        h.find("post").rebuild()
        await over(h)
        assert h.output == Ok(None)


async def test_a_server_that_hangs_up_always_is_given_up(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """With the reason."""
    server.replies = [hang_up] * 10
    async with start(lambda: slack.post(channel, "hello", key="build")) as h:
        await over_in_time(h)
        assert h.output == Failed(
            "Slack can't be reached: the connection was broken off (tried 5 times)"
        )
    assert len(server.calls) == 5


@pytest.mark.parametrize(
    ("name", "token", "text", "reason"),
    [
        ("#builds", "xoxb-wrong", "x", "invalid_auth: the bot's token is not valid"),
        ("#none", TOKEN, "x", "channel_not_found: there is no such channel"),
        ("#builds", TOKEN, "", "no_text: the message is empty"),
    ],
)
async def test_refusals_name_the_cause(
    server: Slack, start: Start, name: str, token: str, text: str, reason: str
) -> None:
    """At once: Slack would say the same again."""
    channel = slack.Channel(name, token, server.api)
    async with start(lambda: slack.post(channel, text, key="build")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith(f"Slack refuses the message for {name}: {reason}")
    assert len(server.calls) == 1


async def test_what_is_wrong_with_blocks_is_told(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """In Slack's words."""
    message = slack.Message("hello", ({"no": "type"},))
    async with start(lambda: slack.post(channel, message, key="build")) as h:
        await over(h)
        assert h.output == Failed(
            "Slack refuses the message for #builds: invalid_blocks: "
            "[ERROR] missing required field: type"
        )


async def test_a_refusing_webhook_says_why(server: Slack, start: Start) -> None:
    """One that was revoked, say."""
    webhook = slack.Webhook("#builds", f"{server.url}/services/T0/B0/revoked")
    async with start(lambda: slack.post(webhook, "hello", key="build")) as h:
        await over(h)
        assert h.output == Failed(
            "Slack refuses the message for #builds: no_service: "
            "there is no such webhook, or it was revoked"
        )


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
async def test_somebody_else_who_answers_is_no_success(
    server: Slack, channel: slack.Channel, start: Start, kind: str
) -> None:
    """A page of a proxy with status 200 is not Slack's word."""
    server.replies = [page(200, kind)]
    async with start(lambda: slack.post(channel, "hello", key="build")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("Slack refuses the message for #builds: ")


async def test_a_word_that_is_not_known_is_told_as_it_is(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Slack has many."""
    server.replies = [lambda request: error("org_login_required")]
    async with start(lambda: slack.post(channel, "hello", key="build")) as h:
        await over(h)
        assert h.output == Failed("Slack refuses the message for #builds: org_login_required")


async def test_a_cancelled_post_waits_no_longer(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """Nor is it posted later."""
    server.replies = [limited(3600)]
    async with start(lambda: slack.post(channel, "hello", key="build")) as h:
        await h.until(lambda: h.clock.next_timer is not None)
        h.find("post").cancel("enough")
        await over(h)
        assert h.output == Failed("Cancelled: enough")
        assert h.clock.next_timer is None
    assert server.texts == []


async def test_a_timeout_ends_the_waiting(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """It runs while Slack has us wait."""
    server.replies = [limited(3600)]
    async with start(lambda: slack.post(channel, "hello", key="build", timeout=60)) as h:
        assert await over_in_time(h) == [60]
        assert h.output == Failed("Timed out after 1 min")


async def test_level_pool_and_label_are_the_users(
    server: Slack, channel: slack.Channel, start: Start
) -> None:
    """By default the level is above average."""
    pool = Pool("slack", 1)
    config = current.Config(confirm=Level.ABOVE_AVERAGE)

    def pipeline() -> current.Current[None]:
        one = slack.post(channel, "one", key="one")
        low = Level.HARMLESS
        two = slack.post(channel, "two", key="two", level=low, pool=pool, label="{2}")
        return current.all([one, two])

    async with start(pipeline, config=config) as h:
        await h.until(lambda: server.texts == ["two"])
        assert h.output == Active(Activity.WAITING_FOR_CONFIRMATION)
        assert "{2}" in h.dot()
        h.find("one").approve()
        await over(h)
        assert server.texts == ["two", "one"]


async def test_secrets_are_nowhere(
    server: Slack,
    channel: slack.Channel,
    webhook: slack.Webhook,
    start: Start,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither in logs, nor in the database, nor in what Python's logging hears, nor in a repr."""
    caplog.set_level("DEBUG")
    server.replies = [hang_up, limited(1)]

    def pipeline() -> current.Current[None]:
        one = slack.post(channel, "hello", key="a")
        other = slack.post(slack.Webhook("b", f"{webhook.url}x"), "hello", key="b")
        return current.all([one, slack.update(channel, "hello", key="c").ignore(), other])

    async with start(pipeline) as h:
        await over_in_time(h)
        assert isinstance(h.output, Failed)
        shown = h.output.message + h.dot() + repr(channel) + repr(webhook) + caplog.text
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (TOKEN, HOOK, HOOK.rpartition("/")[2]):
        assert secret not in shown
        assert secret.encode() not in kept


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: slack.Channel("", TOKEN), "needs a name"),
        (lambda: slack.Channel("#builds", ""), "the token for #builds is empty"),
        (lambda: slack.Channel("#builds", "secret token\n"), "the token for #builds"),
        (lambda: slack.Channel("#builds", TOKEN, "slack.com"), "begins with https://"),
        (lambda: slack.Webhook("#builds", ""), "the URL of the webhook #builds"),
        (lambda: slack.Webhook("#builds", "https://secret token"), "the URL of the webhook"),
        (lambda: slack.Webhook(" ", "https://hooks.example.org/x"), "needs a name"),
    ],
)
def test_what_can_be_no_channel_is_refused(make: Callable[[], object], reason: str) -> None:
    """At once, and without showing the secret."""
    with pytest.raises(UsageError, match=reason) as refused:
        make()
    assert "secret" not in str(refused.value)


def test_text_from_outside_is_escaped() -> None:
    """It can't mention everybody, or pretend to be a link."""
    assert slack.escape("<!channel> a&b <https://x|y>") == (
        "&lt;!channel&gt; a&amp;b &lt;https://x|y&gt;"
    )


async def test_post_keeps_the_rules_of_operations(channel: slack.Channel, tmp_path: Path) -> None:
    """What each operation has to keep."""
    await check_operation(
        SlackPost(channel, SystemClock(), Limits(Level.ABOVE_AVERAGE)),
        Topic("#builds", "build"),
        slack.Message("one\ntwo", ({"type": "divider"},)),
        others=[(Topic("#builds", "other"), slack.Message("x" * 500))],
        failing=(Topic("#builds", "build"), slack.Message("")),
        state_dir=tmp_path / "check",
    )
