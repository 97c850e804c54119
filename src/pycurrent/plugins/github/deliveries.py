"""Webhooks of GitHub: that they are its, and what they say."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from pycurrent.plugins.forge.values import (
    Command,
    Delivery,
    Move,
    Refused,
    commands_in,
    commit_or_none,
    part_of,
    pushed,
)
from pycurrent.plugins.github.check_acts import act_of

_OF_THE_LIST = frozenset(
    {"installation", "installation_repositories", "installation_target", "repository"}
)
"""Events that change the list of repositories."""


def verified(headers: Mapping[str, str], body: bytes, secret: str) -> Delivery | Refused:
    """Verify a delivery by `X-Hub-Signature-256`: HMAC-SHA256 of the body.

    See docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.
    """
    if not secret:
        return Refused("this engine has no secret for webhooks")
    given = headers.get("x-hub-signature-256")
    if given is None:
        return Refused("it is not signed: the webhook needs a secret")
    wanted = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        return Refused("its signature is another one: does the webhook have our secret?")
    try:
        told = json.loads(body)
    except ValueError:
        return Refused("its body is not JSON: the webhook's content type is application/json")
    if not isinstance(told, dict):
        return Refused("its body is not a JSON object")
    event, path = headers.get("x-github-event", ""), part_of(told, "repository", "full_name")
    person = part_of(told, "sender", "login")
    act = act_of(event, told)
    return Delivery(
        id=headers.get("x-github-delivery") or hashlib.sha256(body).hexdigest(),
        event=event,
        repositories=_repositories(event, path),
        commands=_commands(told, event),
        person=person if isinstance(person, str) else None,
        moves=(*pushed(told), *_moves_of_change(told, event)),
        acts=() if act is None else (act,),
    )


def _repositories(event: str, path: object) -> tuple[str, ...] | None:
    if event in _OF_THE_LIST:
        return None
    return (path,) if isinstance(path, str) else ()


def _moves_of_change(told: Mapping[str, Any], event: str) -> tuple[Move, ...]:
    """The move of a pull request's head."""
    number, change = told.get("number"), told.get("pull_request")
    if event != "pull_request" or not isinstance(number, int) or not isinstance(change, dict):
        return ()
    ref, head = f"refs/pull/{number}/head", commit_or_none(part_of(change, "head", "sha"))
    match told.get("action"):
        case "opened" | "reopened":
            return (Move(ref, None, head),)
        case "synchronize":
            return (Move(ref, commit_or_none(told.get("before")), head),)
        case "closed":
            return (Move(ref, head, None),)
        case _:
            return ()


def _commands(told: Mapping[str, Any], event: str) -> tuple[Command, ...]:
    """The commands of a new comment on a pull request."""
    issue, comment = told.get("issue"), told.get("comment")
    if event != "issue_comment" or told.get("action") != "created":
        return ()
    if not isinstance(issue, dict) or not isinstance(comment, dict):
        return ()
    if not issue.get("pull_request"):
        return ()
    return commands_in(
        comment.get("body"),
        repository=part_of(told, "repository", "full_name"),
        number=issue.get("number"),
        comment=comment.get("id"),
        author=part_of(comment, "user", "login"),
    )
