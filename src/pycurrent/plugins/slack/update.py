"""Keep one message up to date, by editing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Cache, UnreadableValue
from pycurrent.engine import Level
from pycurrent.errors import UsageError
from pycurrent.plugins.options import Options, with_options
from pycurrent.plugins.slack.channel import Channel
from pycurrent.plugins.slack.client import MessageRefused, Posted, SlackClient
from pycurrent.plugins.slack.diagnosis import GONE
from pycurrent.plugins.slack.message import Message
from pycurrent.plugins.slack.topic import Speech, Text, Topic, topic_component
from pycurrent.store import BuildRecord, JobRecord
from pycurrent.term import Current


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
    return topic_component(
        *(update, "update {key} in {channel}", channel.name, message, key, options),
        lambda cache, limits: SlackUpdate(channel, cache.engine.clock, limits, LastMessages(cache)),
    )


@dataclass(frozen=True, slots=True)
class LastMessages:
    """The last message of each topic, from the database."""

    cache: Cache

    def __call__(self, topic: Topic) -> Posted | None:
        """Return the last message that was posted or edited, whatever has failed since."""
        op_type, store = self.cache.op_type(SlackUpdate), self.cache.engine.store
        key = op_type.key(topic)
        record: BuildRecord | JobRecord | None = store.lookup(op_type.id, key.digest)
        if record is not None and not record.ok:
            # Only if needed: without an index, this takes long if there was no success.
            record = next(iter(store.history(op_type.id, ok=True, key=key.text, limit=1)), None)
        if record is None:
            return None
        try:
            posted: Posted = op_type.outcome.decode(record.outcome or "")
        except UnreadableValue:
            return None
        return posted
