"""Where messages go to: a channel by a bot's token, or whatever a webhook leads to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pycurrent.engine import Job
from pycurrent.errors import UsageError

SLACK_API = "https://slack.com/api/"

_TOKEN = re.compile(r"[\w.-]{3,}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel, as a bot sees it.

    `name` is `#builds`, or its id (`C0123456789`, as in its link), also that of a person. The
    `token` is the bot's (`xoxb-...`), which needs the scope `chat:write` and has to be invited
    to the channel. `api` is another address of the Web API, that of GovSlack for one. Raises
    UsageError for what can be neither.
    """

    name: str
    token: str = field(repr=False)
    api: str = SLACK_API

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise UsageError("a channel needs a name, such as #builds, or its id")
        if not _TOKEN.fullmatch(self.token):
            raise UsageError(
                f"the token for {self.name} is empty, or can't be one: it begins with xoxb-"
            )
        _check_address(self.api, f"the address of the API for {self.name}")

    def mask(self, job: Job) -> None:
        """Keep what is secret out of the job's log."""
        job.secret(self.token)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An incoming webhook. Who has its `url` can post, so it is a secret.

    `name` stands for it wherever people look, and in what is recorded: the channel, say. Raises
    UsageError, which doesn't show the URL, if it can't be one.
    """

    name: str
    url: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise UsageError("a webhook needs a name, such as that of its channel")
        _check_address(self.url, f"the URL of the webhook {self.name}")

    def mask(self, job: Job) -> None:
        """Keep what is secret out of the job's log: the path says it all, without the host."""
        job.secret(self.url)
        path = urlsplit(self.url).path.strip("/")
        if len(path) > _SHORTEST_PATH:
            job.secret(path)


_SHORTEST_PATH = 8
"""Anything shorter is no secret, and would garble the log."""


def _check_address(url: str, what: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"https", "http"} and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in url):
        raise UsageError(f"{what} has to begin with https://, and to be an address")
