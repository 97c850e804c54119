"""Slack, as one job talks to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pycurrent.engine import Clock, Job
from pycurrent.plugins.slack.channel import Channel, Webhook
from pycurrent.plugins.slack.diagnosis import explained
from pycurrent.plugins.slack.message import Message
from pycurrent.plugins.slack.requests import Answer, Meaning, ask_api, ask_webhook
from pycurrent.plugins.slack.retry import with_retries
from pycurrent.term import Failure, FailureKind


class MessageRefused(Failure):
    """Slack does not do what it was asked for. `code` is its own word for why."""

    def __init__(self, channel: str, answer: Answer) -> None:
        self.code = answer.word
        super().__init__(
            f"Slack refuses the message for {channel}: {explained(self.code, answer.details)}",
            kind=FailureKind.REAL if answer.meaning is Meaning.REFUSED else FailureKind.INFRA,
        )


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in Slack: the id of its channel, and its time, by which it is known there."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class SlackClient:
    """To one channel, for a job that has started. All raise Failure, which names the cause."""

    channel: Channel | Webhook
    job: Job
    clock: Clock

    async def send(self, message: Message) -> None:
        """A new message."""
        if isinstance(self.channel, Channel):
            await self.post(self.channel, message)
        else:
            webhook = self.channel
            webhook.mask(self.job)
            self._accepted(
                await with_retries(lambda: ask_webhook(webhook, message.body), self.job, self.clock)
            )
            self.job.log(f"Posted to {webhook.name}")

    async def post(self, channel: Channel, message: Message) -> Posted:
        """A new message, which can be edited."""
        posted = await self._call(
            channel, "chat.postMessage", {"channel": channel.name, **message.body}
        )
        self.job.log(f"Posted to {channel.name}: {posted.ts}")
        return posted

    async def edit(self, channel: Channel, posted: Posted, message: Message) -> Posted:
        """Have a message say something else. Raises MessageRefused, too."""
        # Without blocks it would keep those that it has.
        place = {"channel": posted.channel, "ts": posted.ts, "blocks": []}
        edited = await self._call(channel, "chat.update", {**place, **message.body})
        self.job.log(f"Edited the message {edited.ts} in {channel.name}")
        return edited

    async def _call(self, channel: Channel, method: str, body: Mapping[str, object]) -> Posted:
        channel.mask(self.job)
        answer = self._accepted(
            await with_retries(lambda: ask_api(channel, method, body), self.job, self.clock)
        )
        data = answer.data
        return Posted(str(data.get("channel")), str(data.get("ts")))

    def _accepted(self, answer: Answer) -> Answer:
        if answer.meaning is not Meaning.DONE:
            raise MessageRefused(self.channel.name, answer)
        return answer
