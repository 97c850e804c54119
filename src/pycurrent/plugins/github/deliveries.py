"""Webhooks of GitHub: that they are its, and what they say."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from pycurrent.plugins.forge.values import (
    Button,
    Command,
    Delivery,
    Move,
    Press,
    Refused,
    commands_in,
    commit_or_none,
    part_of,
    pushed,
)

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
    return Delivery(
        id=headers.get("x-github-delivery") or hashlib.sha256(body).hexdigest(),
        event=event,
        repositories=_repositories(event, path),
        commands=_commands(told, event),
        person=person if isinstance(person, str) else None,
        moves=(*pushed(told), *_moves_of_change(told, event)),
        press=_press(told, event),
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


def _press(told: Mapping[str, Any], event: str) -> Press | None:
    """A button that somebody has pressed; None for none of ours, or a text that is not right."""
    button = _button(told, event)
    part = told.get(event)
    if button is None or not isinstance(part, dict):
        return None
    repository, person = part_of(told, "repository", "full_name"), part_of(told, "sender", "login")
    app, commit = part_of(part, "app", "id"), part.get("head_sha")
    path, run = part.get("external_id"), part.get("id")
    texts_are_there = isinstance(repository, str) and isinstance(person, str)
    if not (texts_are_there and isinstance(commit, str) and isinstance(app, int)):
        return None
    return Press(
        button=button,
        repository=str(repository),
        commit=commit,
        app=app,
        person=str(person),
        path=path if isinstance(path, str) else "",
        run=run if isinstance(run, int) else 0,
    )


def _button(told: Mapping[str, Any], event: str) -> Button | None:
    match event, told.get("action"):
        case "check_run", "rerequested":
            return Button.RERUN
        case "check_run", "requested_action":
            wanted = part_of(told, "requested_action", "identifier")
            buttons = (Button.RERUN, Button.RERUN_INFRA, Button.EXPLAIN)
            return next((one for one in buttons if one.value == wanted), None)
        case "check_suite", "rerequested":
            return Button.RERUN_ALL
        case _:
            return None
