"""Webhooks of GitLab: that they are its, and what they say."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pycurrent.plugins.forge.values import (
    Command,
    Delivery,
    Refused,
    commands_in,
    part_of,
    pushed,
)

_OLDEST = timedelta(minutes=5)
"""How far the time of a signed delivery may be from ours (standardwebhooks.com)."""
_SIGNING = "whsec_"


def verified(
    headers: Mapping[str, str], body: bytes, secret: str, now: datetime
) -> Delivery | Refused:
    """Verify a delivery by the webhook's signing token (`whsec_...`), or its secret token."""
    wrong = _why_not(headers, body, secret, now)
    if wrong is not None:
        return Refused(wrong)
    try:
        told = json.loads(body)
    except ValueError:
        return Refused("its body is not JSON")
    if not isinstance(told, dict):
        return Refused("its body is not a JSON object")
    digest = hashlib.sha256(body).hexdigest()
    person = part_of(told, "user", "username") or told.get("user_username")
    return Delivery(
        id=headers.get("webhook-id") or headers.get("idempotency-key") or digest,
        event=headers.get("x-gitlab-event", ""),
        repositories=_repositories(told),
        commands=_commands(told),
        person=person if isinstance(person, str) else None,
        moves=pushed(told),
    )


def _why_not(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> str | None:
    if not secret:
        return "this engine has no secret for webhooks"
    if secret.startswith(_SIGNING):
        return _why_not_signed(headers, body, secret, now)
    given = headers.get("x-gitlab-token")
    if given is None:
        return "it has no X-Gitlab-Token"
    return None if _equal(given, secret) else "its X-Gitlab-Token is another one"


def _why_not_signed(
    headers: Mapping[str, str], body: bytes, secret: str, now: datetime
) -> str | None:
    """See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec"""
    id, time = headers.get("webhook-id"), headers.get("webhook-timestamp")
    given = headers.get("webhook-signature")
    if id is None or time is None or given is None:
        return "it is not signed"
    try:
        key = base64.b64decode(secret.removeprefix(_SIGNING), validate=True)
        age = abs(now.timestamp() - int(time))
    except (binascii.Error, ValueError):
        return "its time, or our signing token, can't be read"
    if age > _OLDEST.total_seconds():
        return "it was signed at another time: is one of the clocks wrong?"
    signed = hmac.digest(key, f"{id}.{time}.".encode() + body, "sha256")
    wanted = f"v1,{base64.b64encode(signed).decode()}"
    # All are compared, so that the time does not tell which one is right.
    matches = [_equal(one, wanted) for one in given.split(" ")]
    return None if any(matches) else "its signature is another one"


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _repositories(told: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The project that it is about; None if it is about a group, or the whole site."""
    path = part_of(told, "project", "path_with_namespace")
    # Deliveries that tell of a project as such have its path at the top.
    is_listed = not isinstance(told.get("event_name"), str) or "path_with_namespace" not in told
    return (path,) if isinstance(path, str) and is_listed else None


def _commands(told: Mapping[str, Any]) -> tuple[Command, ...]:
    """The commands of a new note on a merge request."""
    note, request = told.get("object_attributes"), told.get("merge_request")
    if told.get("object_kind") != "note" or not isinstance(note, dict):
        return ()
    if not isinstance(request, dict) or note.get("action", "create") != "create":
        return ()
    return commands_in(
        note.get("note"),
        repository=part_of(told, "project", "path_with_namespace"),
        number=request.get("iid"),
        comment=note.get("id"),
        author=part_of(told, "user", "username"),
    )
