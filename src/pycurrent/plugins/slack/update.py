"""Keep one message up to date, by editing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Cache, Publisher, UnreadableValue
from pycurrent.engine import AnyPool, Clock, Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.plugins.slack.binding import Within
from pycurrent.plugins.slack.cause import GONE
from pycurrent.plugins.slack.channel import Channel
from pycurrent.plugins.slack.line import Line, Posted, Refused
from pycurrent.plugins.slack.message import Message, message_of
from pycurrent.plugins.slack.post import Text, Topic
from pycurrent.store import BuildRecord, JobRecord
from pycurrent.term import Current, Primitive, component


@dataclass(frozen=True, slots=True)
class Update(Publisher[Topic, Message, Posted]):
    """Has the message of a topic say something. `last` is the message that there was last."""

    id: ClassVar[str] = "slack-update"
    latched: ClassVar[bool] = True

    channel: Channel
    last: Callable[[Topic], Posted | None]
    clock: Clock
    limits: Limits

    def describe(self, key: Topic, value: Message) -> str:
        return f"update {key.key} in {key.channel}: {value.title}"

    async def publish(self, job: Job, key: Topic, value: Message) -> Posted:
        await self.limits.start(job)
        line = Line(self.channel, job, self.clock)
        last = self.last(key)
        if last is not None:
            try:
                return await line.edit(self.channel, last, value)
            except Refused as refused:
                if refused.code not in GONE:
                    raise
                job.log(f"The last message can't be edited ({refused.code}): posting a new one")
        return await line.post(self.channel, value)


def update(
    channel: Channel,
    message: Text,
    *,
    key: str | Current[str],
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.ABOVE_AVERAGE,
    label: str | None = None,
) -> Current[Posted]:
    """Have one message in the channel say what the current says: it is posted once, then edited.

    Each `key` has its own message, which is still known after a restart. One that can't be edited
    any more, as somebody has deleted it say, is posted anew. Webhooks can't edit. All else is as
    with `post`.
    """
    if not isinstance(channel, Channel):
        raise UsageError(f"{channel.name} is a webhook, which can't edit: use a bot's Channel")
    limits = Limits(level, pool, timeout)

    def on_values(key: str, channel_name: str, message: str | Message) -> Primitive[Posted]:
        def bound(cache: Cache) -> Primitive[Posted]:
            work = Update(channel, Recorded(cache), cache.engine.clock, limits)
            return work.set(Topic(channel_name, key), message_of(message))

        return Within(bound)

    return component(label_or(label, "update {key} in {channel_name}"))(on_values)(
        key, channel.name, message
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """The messages that the database knows of."""

    cache: Cache

    def __call__(self, topic: Topic) -> Posted | None:
        """The last one that was posted or edited, whatever has failed since."""
        spec, store = self.cache.spec(Update), self.cache.engine.store
        key = spec.key(topic)
        record: BuildRecord | JobRecord | None = store.lookup(spec.id, key.digest)
        if record is not None and not record.ok:
            # Not asked for at once: without an index this takes long where there is none.
            record = next(iter(store.history(spec.id, ok=True, key=key.text, limit=1)), None)
        if record is None:
            return None
        try:
            posted: Posted = spec.outcome.decode(record.outcome or "")
        except UnreadableValue:
            return None
        return posted
