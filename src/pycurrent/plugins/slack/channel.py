"""The places that messages go to: a channel by a bot's token, or a webhook."""

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

    `name` is `#builds`, or the id of a channel or a person (`C0123456789`, as in its link). `token`
    is the bot's (`xoxb-...`); the bot needs the scope `chat:write`, and must be invited to the
    channel. `api` is another address of the Web API, such as that of GovSlack. Raises UsageError
    for an empty name, or what can't be a token or an address.
    """

    name: str
    token: str = field(repr=False)
    api: str = SLACK_API

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise UsageError("a channel needs a name such as #builds, or its id")
        if not _TOKEN.fullmatch(self.token):
            raise UsageError(
                f"the token for {self.name} is empty or malformed: expected one like xoxb-..."
            )
        _check_address(self.api, f"the address of the API for {self.name}")

    def mask(self, job: Job) -> None:
        """Mask the token in the job's log."""
        job.secret(self.token)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An incoming webhook. Its `url` is a secret, because it is enough to post.

    Pages and records show `name`, for example that of the channel, instead. Raises UsageError,
    which doesn't show the URL, for an empty name or a malformed URL.
    """

    name: str
    url: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise UsageError("a webhook needs a name, such as that of its channel")
        _check_address(self.url, f"the URL of the webhook {self.name}")

    def mask(self, job: Job) -> None:
        """Mask the URL in the job's log, and its path alone, which is enough to post."""
        job.secret(self.url)
        path = urlsplit(self.url).path.strip("/")
        if len(path) > _SHORTEST_PATH:
            job.secret(path)


_SHORTEST_PATH = 8
"""A shorter path can't be a secret, and masking it would garble the log."""


def _check_address(url: str, what: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"https", "http"} and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in url):
        raise UsageError(f"{what} is malformed: expected one that begins with https://")
