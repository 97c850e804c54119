"""Comments on changes, edited in place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.limit import asking
from pycurrent.plugins.forge.values import Change
from pycurrent.term import shown

_TOPIC = re.compile(r"[\w./:#@][\w ./:#@-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CommentKey:
    """The place of a comment: a change, and a topic."""

    site: str
    repository: str
    number: int
    topic: str


@dataclass(frozen=True, slots=True)
class ForgeComment(Publisher[CommentKey, str, str]):
    """Writes a comment of ours on a change, or edits it. Returns its address."""

    id: ClassVar[str] = "forge-comment"
    for_untrusted: ClassVar[bool] = True

    api: ForgeApi
    change: Change
    limits: Limits
    page: Callable[[], str | None]
    """The page of its stage, to which it leads people, if that is known."""

    def describe(self, key: CommentKey, value: str) -> str:
        return f"comment on {key.repository}#{key.number}: {key.topic}"

    def labels(self, key: CommentKey, value: str) -> Mapping[str, str]:
        return {"repo": key.repository, "change": str(key.number)}

    async def publish(self, job: Job, key: CommentKey, value: str) -> str:
        mark = mark_of(key.topic)
        page = self.page()
        link = "" if page is None else f"\n\n[More about this]({page})"
        body = f"{value.rstrip()}{link}\n\n{mark}"
        # A killed engine may have written it without a record of that.
        with asking(job):
            earlier = await self.api.comment(self.change, mark)
            if earlier is not None and _lines(earlier.body) == _lines(body):
                job.log(f"It is there already: {earlier.url}")
                return earlier.url
            written = await self.api.write_comment(self.change, body, earlier)
        job.log(f"{'Written' if earlier is None else 'Edited'}: {written.url}")
        return written.url


def mark_of(topic: str) -> str:
    """The line by which our comment on a topic is found again; pages don't show it."""
    return f"<!-- pycurrent: {topic} -->"


def checked_topic(topic: str) -> str:
    """Return the topic. Raises `UsageError` for one that can't stand in a mark."""
    if not isinstance(topic, str) or "--" in topic or not _TOPIC.fullmatch(topic):
        raise UsageError(
            f"{shown(topic)} is not a topic of comments: write a short name, such as 'tests'"
        )
    return topic


def _lines(body: str) -> list[str]:
    """Forges change the ends of lines."""
    return [line.rstrip() for line in body.strip().splitlines()]
