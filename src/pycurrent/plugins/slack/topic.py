"""Messages about a topic in a channel: the parts that `post` and `update` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pycurrent.cache import OfEngine, Publisher, ResultCache
from pycurrent.engine import Clock, Job
from pycurrent.engine.limits import Limits
from pycurrent.plugins.options import Options, limits_of, named_after, operation_component
from pycurrent.plugins.slack.channel import Channel, Webhook
from pycurrent.plugins.slack.client import SlackClient
from pycurrent.plugins.slack.message import Message, message_of
from pycurrent.term import Current, Primitive

V = TypeVar("V")
C = TypeVar("C", bound=Channel | Webhook)

Text = str | Message | Current[str | Message]


@dataclass(frozen=True, slots=True)
class Topic:
    """The subject of messages in a channel."""

    channel: str
    key: str


@dataclass(frozen=True, slots=True)
class Speech(Publisher[Topic, Message, V], Generic[C, V]):
    """Sends messages about a topic."""

    channel: C
    clock: Clock
    limits: Limits

    async def publish(self, job: Job, key: Topic, value: Message) -> V:
        return await self.say(SlackClient(self.channel, job, self.clock), key, value)

    @abstractmethod
    async def say(self, slack: SlackClient, topic: Topic, message: Message) -> V:
        """Post or edit the message. Raises Failure, which says why."""


def topic_component(
    public: Callable[..., object],
    default: str,
    channel: str,
    message: Text,
    key: str | Current[str],
    options: Options,
    operation: Callable[[ResultCache, Limits], Publisher[Topic, Message, V]],
) -> Current[V]:
    """The component of an operation that needs the cache; made for a `public` function.

    The default label may show `key` and `channel`.
    """
    limits = limits_of(options)

    @named_after(public)
    def on_values(key: str, channel: str, message: str | Message) -> Primitive[V]:
        topic, said = Topic(channel, key), message_of(message)
        return OfEngine(
            lambda cache, _: operation(cache, limits).set(topic, said, retry=options["retry"])
        )

    return operation_component(options["label"], default, on_values, key, channel, message)
