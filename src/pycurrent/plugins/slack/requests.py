"""Requests to Slack, by its own SDK, and what they are answered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycurrent.plugins.slack.channel import Channel, Webhook
from pycurrent.plugins.slack.sdk import AsyncWebClient, AsyncWebhookClient, SlackApiError

REQUEST_SECONDS = 30
"""How long Slack may take for an answer."""

_OK = 200
# The SDK logs requests as they are, with the URL of the webhook: nobody is to hear of that.
_UNHEARD = logging.CRITICAL + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack has said: `error` is its word for what is wrong, None if nothing is."""

    status: int
    error: str | None
    details: str = ""
    retry_after: str | None = None
    data: Mapping[str, Any] | None = None


async def ask_api(channel: Channel, method: str, body: Mapping[str, object]) -> Answer:
    """Call a method of the Web API, once. Raises what aiohttp does if there is no answer."""
    client = AsyncWebClient(
        token=channel.token,
        base_url=channel.api,
        timeout=REQUEST_SECONDS,
        logger=logging.Logger("slack", _UNHEARD),
        retry_handlers=[],
    )
    response: Any
    try:
        response = await client.api_call(method, json=dict(body))
    except SlackApiError as refused:
        # The answer as the SDK has it, or aiohttp's, where that was no JSON.
        response = refused.response
    except AttributeError:
        # Of the SDK, about a plain text: somebody else has answered in Slack's place.
        return Answer(_OK, "unreadable_answer")
    status: int = response.status_code if hasattr(response, "data") else response.status
    found = getattr(response, "data", None)
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    wrong = None if status == _OK and data.get("ok") else _word(data.get("error"), status)
    return Answer(status, wrong, _details(data), _retry_after(response.headers), data)


async def ask_webhook(webhook: Webhook, body: Mapping[str, object]) -> Answer:
    """Send to a webhook, once. Raises what aiohttp does if there is no answer."""
    client = AsyncWebhookClient(
        webhook.url,
        timeout=REQUEST_SECONDS,
        logger=logging.Logger("slack", _UNHEARD),
        retry_handlers=[],
    )
    response = await client.send_dict(dict(body))
    status = response.status_code
    wrong = None if status == _OK else _word(response.body, status)
    return Answer(status, wrong, "", _retry_after(response.headers))


def _word(said: object, status: int) -> str:
    """Slack's word for the error; of what is none, a page of a proxy say, only the status."""
    word = said.strip() if isinstance(said, str) else ""
    return word if word.replace("_", "").isalnum() else f"HTTP status {status}"


def _details(data: Mapping[str, Any]) -> str:
    """What is wrong with the blocks, say."""
    metadata = data.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    return "; ".join(map(str, messages)) if isinstance(messages, list) else ""


def _retry_after(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in headers if name.lower() == "retry-after"), None)
