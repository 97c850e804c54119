"""Webhooks of Forgejo and Gitea: that they are its, and what they say."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from pycurrent.plugins.forge.values import (
    Command,
    Delivery,
    Refused,
    commands_in,
    part_of,
    pushed,
)

_NAMES = ("forgejo", "gitea")
"""Forgejo sends both headers, Gitea its own one."""


def verified(headers: Mapping[str, str], body: bytes, secret: str) -> Delivery | Refused:
    """Verify a delivery by its signature: HMAC-SHA256 of the body, in hexadecimal digits."""
    if not secret:
        return Refused("this engine has no secret for webhooks")
    given = _header(headers, "signature")
    if given is None:
        return Refused("it is not signed: the webhook needs a secret")
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        return Refused("its signature is another one: does the webhook have our secret?")
    try:
        told = json.loads(body)
    except ValueError:
        return Refused("its body is not JSON: the webhook's content type is application/json")
    if not isinstance(told, dict):
        return Refused("its body is not a JSON object")
    event, path = _header(headers, "event") or "", part_of(told, "repository", "full_name")
    person = part_of(told, "sender", "login")
    is_about_one = isinstance(path, str) and event != "repository"
    return Delivery(
        id=_header(headers, "delivery") or hashlib.sha256(body).hexdigest(),
        event=event,
        repositories=(path,) if is_about_one else None,
        commands=_commands(told, event),
        person=person if isinstance(person, str) else None,
        moves=pushed(told),
    )


def _header(headers: Mapping[str, str], what: str) -> str | None:
    found = (headers.get(f"x-{name}-{what}") for name in _NAMES)
    return next((text for text in found if text), None)


def _commands(told: Mapping[str, Any], event: str) -> tuple[Command, ...]:
    """The commands of a new comment on a pull request."""
    issue, comment = told.get("issue"), told.get("comment")
    if not event.endswith("_comment") or told.get("action") != "created":
        return ()
    if not isinstance(issue, dict) or not isinstance(comment, dict):
        return ()
    if not (told.get("is_pull") or issue.get("pull_request")):
        return ()
    return commands_in(
        comment.get("body"),
        repository=part_of(told, "repository", "full_name"),
        number=issue.get("number"),
        comment=comment.get("id"),
        author=part_of(comment, "user", "login"),
    )
