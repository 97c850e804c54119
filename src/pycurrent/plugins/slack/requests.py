"""Requests to Slack, through its own SDK, and the meaning of its answers."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from pycurrent.plugins.slack.channel import Channel, Webhook
from pycurrent.plugins.slack.diagnosis import LIMITS, TROUBLES
from pycurrent.plugins.slack.sdk import AsyncWebClient, AsyncWebhookClient, SlackApiError

REQUEST_SECONDS = 30
"""Seconds that Slack may take to answer."""

_OK = 200
_TOO_MANY = 429
_OUT_OF_ORDER = 500
_WORD = re.compile(r"\w+", re.ASCII)
# The SDK logs whole requests, with the URL of the webhook, which is a secret: log nothing.
_UNHEARD = logging.CRITICAL + 1


class Meaning(Enum):
    """The meaning of an answer, whatever its status is."""

    DONE = "done"
    LATER = "ask again after the pause that Slack gives"
    TROUBLE = "ask again"
    REFUSED = "Slack would refuse it again"
    STRANGE = "something else than Slack has answered"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `word` is Slack's error code, or describes what has come instead of one."""

    meaning: Meaning
    word: str = ""
    details: str = ""
    retry_after: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


async def ask_api(channel: Channel, method: str, body: Mapping[str, object]) -> Answer:
    """Call a method of the Web API, once. Raises the errors of aiohttp if no answer comes."""
    client = AsyncWebClient(
        token=channel.token,
        base_url=channel.api,
        timeout=REQUEST_SECONDS,
        logger=logging.Logger("slack", _UNHEARD),
        retry_handlers=[],
    )
    client.proxy = _proxy(client.proxy, channel.api)
    response: Any
    try:
        response = await client.api_call(method, json=dict(body))
    except SlackApiError as refused:
        # The SDK's answer, or that of aiohttp if it was not JSON.
        response = refused.response
    except AttributeError:
        # The SDK fails so on a plain text: something else has answered in Slack's place.
        return _answer(_OK, None, {})
    status: int = response.status_code if hasattr(response, "data") else response.status
    return _answer(status, getattr(response, "data", None), response.headers)


async def ask_webhook(webhook: Webhook, body: Mapping[str, object]) -> Answer:
    """Send to a webhook, once. Raises the errors of aiohttp if no answer comes."""
    client = AsyncWebhookClient(
        webhook.url,
        timeout=REQUEST_SECONDS,
        logger=logging.Logger("slack", _UNHEARD),
        retry_handlers=[],
    )
    client.proxy = _proxy(client.proxy, webhook.url)
    response = await client.send_dict(dict(body))
    return _answer(response.status_code, _told(response.body), response.headers)


def _proxy(proxy: str | None, url: str) -> str | None:
    """Return the proxy of the environment, unless the environment excludes the host."""
    return None if proxy_bypass(urlsplit(url).netloc) else proxy


def _told(body: str) -> dict[str, Any] | None:
    """Bring a webhook's answer to the form of the Web API; None if it is not Slack's."""
    word = body.strip()
    if word == "ok":
        return {"ok": True}
    if _WORD.fullmatch(word):
        return {"ok": False, "error": word}
    try:
        told = json.loads(body)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _answer(status: int, told: object, headers: Mapping[str, str]) -> Answer:
    """Read an answer by its text, or by its status where the text says nothing."""
    data: dict[str, Any] = told if isinstance(told, dict) else {}
    said = data.get("error")
    word = said if isinstance(said, str) and _WORD.fullmatch(said) else ""
    retry_after = next((headers[name] for name in headers if name.lower() == "retry-after"), None)
    if status == _OK and data.get("ok") is True:
        meaning = Meaning.DONE
    elif status == _TOO_MANY or word in LIMITS:
        meaning = Meaning.LATER
    elif status >= _OUT_OF_ORDER or word in TROUBLES:
        meaning = Meaning.TROUBLE
    elif status == _OK and not word:
        meaning = Meaning.STRANGE
    else:
        meaning = Meaning.REFUSED
    other = "the answer is not Slack's" if status == _OK else f"HTTP status {status}"
    return Answer(meaning, word or other, _details(data), retry_after, data)


def _details(data: Mapping[str, Any]) -> str:
    """Return the details, for example what is wrong with the blocks."""
    metadata = data.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    return "; ".join(map(str, messages)) if isinstance(messages, list) else ""
