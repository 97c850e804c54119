"""Real webhooks of GitHub, which others have collected, signed by GitHub's own code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pycurrent.plugins.forge.values import Button, Delivery
from pycurrent.plugins.github.deliveries import verified

from ...node import require_packages

FOLDER = Path(__file__).parent / "npm"
SIGN = """
import { sign } from "@octokit/webhooks-methods";
import { readFileSync } from "node:fs";
const bodies = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(await Promise.all(bodies.map((body) => sign("our-secret", body)))));
"""
Deliveries: TypeAlias = list[tuple[str, Any, dict[str, str], bytes]]
OF_THE_LIST = {"installation", "installation_repositories", "installation_target", "repository"}


@pytest.fixture(scope="module")
def deliveries() -> Deliveries:
    """Each: the event, what it tells, headers, and the body."""
    packages = require_packages(FOLDER)
    file = packages / "@octokit" / "webhooks-examples" / "api.github.com" / "index.json"
    told = [
        (kind["name"], one) for kind in json.loads(file.read_text()) for one in kind["examples"]
    ]
    bodies = [json.dumps(one) for _, one in told]
    signed = subprocess.run(
        ["node", "--input-type=module", "-e", SIGN],
        cwd=FOLDER,
        input=json.dumps(bodies),
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        (
            event,
            one,
            {
                "x-github-event": event,
                "x-github-delivery": str(number),
                "x-hub-signature-256": signature,
            },
            body.encode(),
        )
        for number, ((event, one), body, signature) in enumerate(
            zip(told, bodies, json.loads(signed.stdout), strict=True)
        )
    ]


def test_each_real_delivery_is_taken(
    deliveries: Deliveries,
) -> None:
    """All events that GitHub has, with where to look again."""
    assert len(deliveries) >= 329
    for event, told, headers, body in deliveries:
        found = verified(headers, body, "our-secret")
        assert isinstance(found, Delivery), event
        path = told.get("repository", {}).get("full_name") if "repository" in told else None
        wanted = None if event in OF_THE_LIST else () if path is None else (path,)
        assert found.repositories == wanted, event
        assert found.event == event
        assert not found.commands or event == "issue_comment"


def test_the_buttons_of_real_checks_are_taken(deliveries: Deliveries) -> None:
    """Those that somebody has pressed; that a check was made asks for nothing."""
    for event, told, headers, body in deliveries:
        found = verified(headers, body, "our-secret")
        assert isinstance(found, Delivery)
        is_asked = event in ("check_run", "check_suite") and told["action"] == "rerequested"
        assert (found.press is not None) == is_asked, event
        if found.press is not None:
            pressed = found.press.commit, found.press.app
            assert pressed == (told[event]["head_sha"], told[event]["app"]["id"])
            of_run = event == "check_run"
            assert found.press.button is (Button.RERUN if of_run else Button.RERUN_ALL)


def test_a_real_delivery_that_was_changed_is_refused(
    deliveries: Deliveries,
) -> None:
    """By one byte."""
    for _, _, headers, body in deliveries[::10]:
        assert not isinstance(verified(headers, body + b" ", "our-secret"), Delivery)
        assert not isinstance(verified(headers, body, "another"), Delivery)


def test_real_deliveries_tell_which_refs_have_moved(deliveries: Deliveries) -> None:
    """Pushes, and pull requests that are opened, pushed to and closed; no others."""
    seen = set()
    for event, told, headers, body in deliveries:
        found = verified(headers, body, "our-secret")
        assert isinstance(found, Delivery)
        for move in found.moves:
            seen.add((event, told.get("action"), move.before is None, move.after is None))
            assert move.before != move.after
            assert move.ref == told.get("ref", f"refs/pull/{told.get('number')}/head")
    assert seen >= {
        ("push", None, False, True),
        ("pull_request", "opened", True, False),
        ("pull_request", "synchronize", False, False),
        ("pull_request", "closed", False, True),
    }
    assert {event for event, *_ in seen} == {"push", "pull_request"}
