"""Post a message each time that it changes."""

from __future__ import annotations

from typing import ClassVar, Unpack

from pycurrent.engine import Level
from pycurrent.plugins.options import Options, with_options
from pycurrent.plugins.slack.channel import Channel, Webhook
from pycurrent.plugins.slack.client import SlackClient
from pycurrent.plugins.slack.message import Message
from pycurrent.plugins.slack.topic import Speech, Text, Topic, topic_component
from pycurrent.term import Current


class SlackPost(Speech[Channel | Webhook, None]):
    """Posts a message."""

    id: ClassVar[str] = "slack-post"

    def describe(self, key: Topic, value: Message) -> str:
        return f"post {key.key} to {key.channel}: {value.title}"

    async def say(self, slack: SlackClient, topic: Topic, message: Message) -> None:
        await slack.send(message)


@with_options(level=Level.ABOVE_AVERAGE)
def post(
    channel: Channel | Webhook,
    message: Text,
    *,
    key: str | Current[str],
    **options: Unpack[Options],
) -> Current[None]:
    """Post the message, and again each time that it changes.

    Each `key` is a subject of its own: its last message is remembered, also after a restart, and
    is not posted again. A message that changes while the last one is being posted follows it. It
    may appear twice if the engine is killed, or the connection breaks off, in the middle of it.
    """
    return topic_component(
        *(post, "post {key} to {channel}", channel.name, message, key, options),
        lambda cache, limits: SlackPost(channel, cache.engine.clock, limits),
    )
