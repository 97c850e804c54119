"""A job's requests to Slack, and what they mean."""

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
    """Slack has refused a message. `code` is Slack's own code for why."""

    def __init__(self, channel: str, answer: Answer) -> None:
        self.code = answer.word
        super().__init__(
            f"Slack refuses the message for {channel}: {explained(self.code, answer.details)}",
            kind=FailureKind.REAL if answer.meaning is Meaning.REFUSED else FailureKind.INFRA,
        )


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in Slack: the id of its channel, and the timestamp that identifies it there."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class SlackClient:
    """Posts to one channel, for a job that has started. Its methods raise Failure."""

    channel: Channel | Webhook
    job: Job
    clock: Clock

    async def send(self, message: Message) -> None:
        """Post a message, by the bot or the webhook."""
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
        """Post a message that can be edited."""
        posted = await self._call(
            channel, "chat.postMessage", {"channel": channel.name, **message.body}
        )
        self.job.log(f"Posted to {channel.name}: {posted.ts}")
        return posted

    async def edit(self, channel: Channel, posted: Posted, message: Message) -> Posted:
        """Replace the contents of a message. Raises MessageRefused, too."""
        # If they were left out, the message would keep its old blocks.
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
