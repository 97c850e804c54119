"""The meaning of Slack's error codes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_TOKEN = "the bot's token is not valid, or no longer: give a new one"  # noqa: S105
_WEBHOOK = "there is no such webhook, or it was revoked"

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "account_inactive": _TOKEN,
        "action_prohibited": "the workspace does not allow it",
        "channel_is_archived": "the channel is archived",
        "channel_not_found": "there is no such channel, or the bot can't see it: invite it",
        "ek_access_denied": "the workspace does not allow it",
        "invalid_auth": _TOKEN,
        "invalid_payload": "Slack can't read the message: look at its blocks",
        "invalid_token": _WEBHOOK,
        "is_archived": "the channel is archived",
        "missing_scope": "the bot's token needs the scope chat:write: add it to the app",
        "msg_too_long": "the message is too long",
        "no_active_hooks": _WEBHOOK,
        "no_service": _WEBHOOK,
        "no_service_id": _WEBHOOK,
        "no_team": _WEBHOOK,
        "no_text": "the message is empty",
        "not_authed": _TOKEN,
        "not_in_channel": "the bot is not in the channel: invite it",
        "restricted_action": "the workspace does not allow it",
        "team_disabled": "the workspace is disabled",
        "token_expired": _TOKEN,
        "token_revoked": _TOKEN,
    }
)
"""Slack's error codes, and what they mean to the author of a pipeline."""

GONE = frozenset(
    {
        "cant_update_message",
        "channel_is_archived",
        "channel_not_found",
        "edit_window_closed",
        "is_archived",
        "is_inactive",
        "message_not_found",
        "not_in_channel",
    }
)
"""Codes by which an edit fails for good: the message was deleted, is another bot's, or is too old;
or its channel no longer has that name.
"""

LIMITS = frozenset({"rate_limited", "ratelimited", "message_limit_exceeded"})
"""Codes by which Slack asks for fewer messages."""

TROUBLES = frozenset(
    {
        "fatal_error",
        "internal_error",
        "request_timeout",
        "rollup_error",
        "service_unavailable",
        "team_added_to_org",
    }
)
"""Codes by which Slack is out of order for a while."""


def explained(code: str, details: str) -> str:
    """Return Slack's error code with its meaning, and the details that Slack gives."""
    return ": ".join(filter(None, [code, HINTS.get(code), details]))
