"""Keep one message up to date, by editing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import ResultCache
from pycurrent.engine import Level
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.options import Options, with_options
from pycurrent.plugins.slack.channel import Channel
from pycurrent.plugins.slack.client import MessageRefused, Posted, SlackClient
from pycurrent.plugins.slack.diagnosis import GONE
from pycurrent.plugins.slack.message import Message
from pycurrent.plugins.slack.topic import Speech, Text, Topic, topic_component
from pycurrent.term import Current, Ok


@dataclass(frozen=True, slots=True)
class SlackUpdate(Speech[Channel, Posted]):
    """Edits the last message of a topic, which `last` knows, or posts the first one."""

    id: ClassVar[str] = "slack-update"
    latched: ClassVar[bool] = True

    last: Callable[[Topic], Posted | None]

    def describe(self, key: Topic, value: Message) -> str:
        return f"update {key.key} in {key.channel}: {value.title}"

    async def say(self, slack: SlackClient, topic: Topic, message: Message) -> Posted:
        last = self.last(topic)
        if last is not None:
            try:
                return await slack.edit(self.channel, last, message)
            except MessageRefused as refused:
                if refused.code not in GONE:
                    raise
                slack.job.log(
                    f"The last message can't be edited ({refused.code}): posting a new one"
                )
        return await slack.post(self.channel, message)


@with_options(level=Level.ABOVE_AVERAGE)
def update(
    channel: Channel,
    message: Text,
    *,
    key: str | Current[str],
    **options: Unpack[Options],
) -> Current[Posted]:
    """Keep one message in the channel up to date: it is posted once, then edited.

    Each `key` has its own message, which is still known after a restart. If the message can't be
    edited any more, for example because somebody has deleted it, a new one is posted. Webhooks
    can't edit. Everything else is as with `post`.
    """
    if not isinstance(channel, Channel):
        raise UsageError(f"{channel.name} is a webhook, which can't edit: use a bot's Channel")

    def operation(cache: ResultCache, limits: Limits) -> SlackUpdate:
        def last(topic: Topic) -> Posted | None:
            # The last success, whatever has failed since.
            known = cache.known(work, topic, ok=True)
            return known.value if isinstance(known, Ok) else None

        work = SlackUpdate(channel, cache.engine.clock, limits, last)
        return work

    default = "update {key} in {channel}"
    return topic_component(update, default, channel.name, message, key, options, operation)
