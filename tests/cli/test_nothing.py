"""A command that finds nothing says so, whatever it looks for, and whatever it would do."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent.cli.client.app import _COMMANDS
from pycurrent.cli.client.status import ClientExit

from ..web.sites import running_site
from .commands import Ended
from .test_client import Client

ALWAYS_SAY = {"address", "overview", "confirm", "dot"}
"""They show what every engine has."""

EMPTY = {
    "jobs": "no job is waiting or running",
    "stages": "the pipeline needs no stage",
    "failures": "nothing has failed",
    "changes": "nothing has changed",
    "pools": "no job has used a pool",
    "timeline": "no job has been run",
    "timeline --path a/*": "no job matches",
    "changes --input nope": "no change matches",
    "coverage": "no job has reported coverage",
    "coverage --op nope": "no job with coverage matches",
    "tests": "no job has reported tests",
    "tests --flaky": "no test is flaky",
    "tests --test nope": "no job has reported a test 'nope'",
    "tests --failed --label repo=web": "no test matches",
    "query": "no job has ended",
    "ops": "no operation has results",
    "inputs": "the pipeline uses no input that people set",
    "triggers": "the pipeline uses no trigger",
    "jobs --label repo=web": "no job matches",
    "stages --path a/*": "no stage matches",
    "failures --kind infra": "no failure matches",
    "failures --now": "no stage fails",
    "failures --now --kind infra": "no stage that fails now matches",
    "query --failed": "no job matches",
    "rebuild-all --failed": "no job matches",
    "rebuild --kind infra": "no job matches",
    "rebuild --kind infra --dry-run": "no job matches",
}
"""What lists, or acts on, what there is."""

SAID = {
    "pauses": "nothing is paused",
    "approvals": "no commit is approved",
    "pins": "nothing is pinned",
    "mutes": "nothing is muted",
    "retention": "the pipeline has no rules of retention: nothing goes by itself",
    "apply-rules": "of 0 failures 0 have another kind now, and 0 another message",
}

MISSING = {
    "cancel last": "has run no job yet",
    "cancel nope": "no recent job has an id that begins or ends with 'nope'",
    "cancel --label repo=web": "no job that has not ended is of a stage with repo=web",
    "rebuild nope": "no recent job has an id that begins or ends with 'nope'",
    "rebuild --label repo=web": "no failed job that passes the filter is of a stage with repo=web",
    "rebuild-all --label repo=web": "no job that passes the filter is of a stage with repo=web",
    "approve nope": "no recent job",
    "log nope": "no recent job",
    "status nope": "no recent job",
    "explain nope": "no recent job",
    "compare nope": "no recent job",
    "tests nope": "no recent job",
    "why nope": "'nope' is neither a stage of the pipeline nor the id of a job",
    "values nope": "'nope'",
    "pin nope 3": "'nope'",
    "unpin nope": "'nope' is not pinned: nothing is pinned",
    "pause nope/x": "nope/x",
    "resume nope/x": "nope/x",
    "resume --level average": "level average is not paused: nothing is",
    "approve-commit nope": "'nope' is not the whole hash of a commit",
    "withdraw-commit nope": "'nope' is not the whole hash of a commit",
    "mute nope/x --reason known": "nope/x",
    "mute --fingerprint 0123 --reason known": "0123",
    "unmute nope/x": "nope/x",
    "verify nope": "'nope' is neither a stage that uses an operation",
    "set nope 3": "the pipeline uses no input 'nope'",
    "trigger nope": "the pipeline uses no trigger 'nope'",
    "changes 7": "no change has the number 7",
    "wait --label repo=web --timeout 0s": "no stage has repo=web",
    "approve 2026-11-27/000000-frob-0a1b2c": "does not exist",
}
"""What names something that is not there."""


def test_every_command_is_tried() -> None:
    """So one that comes has to say something, too."""
    tried = {line.split()[0] for line in (*EMPTY, *SAID, *MISSING)}
    assert tried | ALWAYS_SAY == set(_COMMANDS)


@pytest.fixture
async def empty(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> AsyncIterator[Client]:
    """The client of an engine that has done nothing."""
    async with running_site(lambda: current.constant(None), tmp_path / "state") as site:
        yield Client(site, capsysbinary)


async def test_each_says_that_there_is_nothing(empty: Client) -> None:
    """A list is empty for programs, and people are told; an act on what is missing is a mistake."""
    for command, said in EMPTY.items():
        ended = await empty(*command.split())
        assert (command, ended) == (command, Ended(ClientExit.OK, "", f"{said}\n"))
        as_json = await empty("--json", *command.split())
        assert (command, as_json.status, as_json.err) == (command, ClientExit.OK, "")
    for command, said in SAID.items():
        ended = await empty(*command.split())
        assert (command, ended) == (command, Ended(ClientExit.OK, f"{said}\n", ""))
    for command, said in MISSING.items():
        ended = await empty(*command.split())
        assert (command, ended.status, ended.out) == (command, ClientExit.USAGE, "")
        assert re.fullmatch(rf"pycurrent: .*{re.escape(said)}.*\n", ended.err), command
        assert "another version" not in ended.err


async def test_the_records_say_so_too(empty: Client, tmp_path: Path) -> None:
    """As do users and tokens: there is a command that makes one."""
    state = str(tmp_path / "state")
    for command, said in {
        "history": "no job has ended",
        "history --failed": "no job matches",
        "failures": "nothing has failed",
        "failures --kind infra": "no failure matches",
        "audit --who nobody": "no act matches",
        "user list": "there are no users: `pycurrent user add NAME` makes one",
        "token list": "there are no tokens: `pycurrent token create NAME` makes one",
    }.items():
        ended = await empty.of_records(*command.split(), "--state-dir", state)
        assert (command, ended) == (command, Ended(ClientExit.OK, "", f"{said}\n"))
