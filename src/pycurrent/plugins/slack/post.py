"""Post a message each time that it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import AnyPool, Clock, Job, Level
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.plugins.slack.binding import Within
from pycurrent.plugins.slack.channel import Channel, Webhook
from pycurrent.plugins.slack.line import Line
from pycurrent.plugins.slack.message import Message, message_of
from pycurrent.term import Current, Primitive, component

Text = str | Message | Current[str | Message]


@dataclass(frozen=True, slots=True)
class Topic:
    """What messages are about, in a channel."""

    channel: str
    key: str


@dataclass(frozen=True, slots=True)
class Post(Publisher[Topic, Message, None]):
    """Posts a message."""

    id: ClassVar[str] = "slack-post"

    channel: Channel | Webhook
    clock: Clock
    limits: Limits

    def describe(self, key: Topic, value: Message) -> str:
        return f"post {key.key} to {key.channel}: {value.title}"

    async def publish(self, job: Job, key: Topic, value: Message) -> None:
        await self.limits.start(job)
        await Line(self.channel, job, self.clock).send(value)


def post(
    channel: Channel | Webhook,
    message: Text,
    *,
    key: str | Current[str],
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.ABOVE_AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Post the message, and again each time that it has become another one.

    `key` says what it is about, so that others can be posted to the same channel: the last
    message of each key is known, also after a restart, and not posted again. An engine that is
    killed, or a connection that breaks off, just when a message is posted makes it appear twice.
    A message that changes while the last one is being posted is posted after that.
    """
    limits = Limits(level, pool, timeout)

    def on_values(key: str, channel_name: str, message: str | Message) -> Primitive[None]:
        topic, said = Topic(channel_name, key), message_of(message)
        return Within(lambda cache: Post(channel, cache.engine.clock, limits).set(topic, said))

    return component(label_or(label, "post {key} to {channel_name}"))(on_values)(
        key, channel.name, message
    )
