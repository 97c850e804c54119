"""Requests to Slack, by its own SDK, and what they are answered."""

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
"""How long Slack may take for an answer."""

_OK = 200
_TOO_MANY = 429
_OUT_OF_ORDER = 500
_WORD = re.compile(r"\w+", re.ASCII)
# The SDK logs requests as they are, with the URL of the webhook: nobody is to hear of that.
_UNHEARD = logging.CRITICAL + 1


class Meaning(Enum):
    """What an answer amounts to, whatever its status is."""

    DONE = "it is done"
    LATER = "it may be asked for when Slack says"
    TROUBLE = "it may be asked for again"
    REFUSED = "Slack would say the same again"
    STRANGE = "it is not Slack that has answered"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: `word` is Slack's own for what is wrong, or says what has come instead."""

    meaning: Meaning
    word: str = ""
    details: str = ""
    retry_after: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


async def ask_api(channel: Channel, method: str, body: Mapping[str, object]) -> Answer:
    """Call a method of the Web API, once. Raises what aiohttp does if there is no answer."""
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
        # The answer as the SDK has it, or aiohttp's, where that was no JSON.
        response = refused.response
    except AttributeError:
        # Of the SDK, about a plain text: somebody else has answered in Slack's place.
        return _answer(_OK, None, {})
    status: int = response.status_code if hasattr(response, "data") else response.status
    return _answer(status, getattr(response, "data", None), response.headers)


async def ask_webhook(webhook: Webhook, body: Mapping[str, object]) -> Answer:
    """Send to a webhook, once. Raises what aiohttp does if there is no answer."""
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
    """The one that the SDK has found in the environment, unless that leaves out the host."""
    return None if proxy_bypass(urlsplit(url).netloc) else proxy


def _told(body: str) -> dict[str, Any] | None:
    """What a webhook has said, as the Web API says it; None if it was not Slack that has."""
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
    """What an answer means, by what it says; its status says the rest, where it says nothing."""
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
    """What is wrong with the blocks, say."""
    metadata = data.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    return "; ".join(map(str, messages)) if isinstance(messages, list) else ""
