"""The commands of `pycurrent client`, and the options that all of them have."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import StateDirOption
from pycurrent.deprecation import Renamed

DEFAULT_URL = "http://127.0.0.1:8080"
URL_VARIABLE = "PYCURRENT_URL"
TOKEN_VARIABLE = "PYCURRENT_TOKEN"  # noqa: S105 - a name

HELP = "Look at a running engine, and steer it, from this machine or another one."

_PLACE = "pycurrent.cli.client"
_COMMANDS = {
    "address": (
        "address:address",
        "Print the address of the engine that uses the state directory, with the token that lets"
        " a browser in.",
    ),
    "overview": (
        "pipeline:overview",
        "Show how the pipeline is, and the stages that have failed or are at work.\n\n"
        "Ends with 0 if it is ok, 1 if it has failed, 5 if that is not known yet.",
    ),
    "stages": (
        "stages:stages",
        "List the stages that are needed now: state, path, labels, failure, and job.",
    ),
    "wait": (
        "stages:wait",
        "Wait until all stages that match have succeeded or failed. Lists them.\n\n"
        "Ends with 0 if all have succeeded, 1 if not, 2 if no stage matches for some time.",
    ),
    "jobs": (
        "jobs:jobs",
        "List the jobs that have not ended, the oldest first: how they are, for how long, which.",
    ),
    "status": (
        "jobs:status",
        "Show what is known of a job.\n\n"
        "Ends with 0 if it has succeeded, 1 if it has failed or was cut short, 5 if it has not"
        " ended.",
    ),
    "why": (
        "why:why",
        "Say why a stage is as it is and what it waits for, or why a job was run.\n\n"
        "Takes the path of a stage, or a job: its id, the beginning or the end of it, or `last`.",
    ),
    "explain": (
        "explain:explain",
        "Explain a job: why it was run and has failed, since when, and what fails alike.",
    ),
    "failures": (
        "failures:failures",
        "List the failures, those with one cause together: kind, fingerprint, how many, since when,"
        " the newest job; or the stages that fail now.",
    ),
    "changes": (
        "changes:changes",
        "List what has changed outside, the newest first, and how many jobs follow from it; or the"
        " jobs that follow from one change.",
    ),
    "tests": (
        "tests:list_tests",
        "List the jobs that have reported tests, or the tests of one job, or those of all jobs that"
        " failed, are flaky, or are slow.",
    ),
    "coverage": (
        "coverage:list_coverage",
        "List how much of the source the tests of jobs have run, and what has changed since the job"
        " before; or the files of one job.",
    ),
    "apply-rules": (
        "rules:apply_rules",
        "Record what has failed already with the messages and kinds that the log rules say.",
    ),
    "log": (
        "log:log",
        "Show the log of a job, byte for byte; with --json each line as an object in a line.\n\n"
        "With --follow it ends as `status` does.",
    ),
    "compare": (
        "compare:compare",
        "Show the lines in which the log of a job differs from that of the last good run of its"
        " stage; times, hashes and durations don't count.",
    ),
    "approve": (
        "jobs:approve",
        "Let jobs start although they wait for confirmation.\n\n"
        "Ends with 4 if one of them does not wait for it.",
    ),
    "cancel": (
        "jobs:cancel",
        "Cancel jobs: they fail, and are not run again by themselves.\n\n"
        "Takes their ids, or --label and --path: those that have not ended and match.\n\n"
        "Ends with 2 if none matches, 4 if one of them has ended already.",
    ),
    "rebuild": (
        "jobs:rebuild",
        "Do the work of jobs that have ended again. Says by which jobs.\n\n"
        "Takes their ids, or a filter: the failures that match and count still.\n\n"
        "Ends with 2 if nothing has the label or the path, 4 if a job has not ended.",
    ),
    "rebuild-all": (
        "history:rebuild_all",
        "Do the work of all jobs that match again, of those with one key the last. Says which.\n\n"
        "Ends with 2 if nothing has the label or the path, 4 if a job can't be rebuilt.",
    ),
    "verify": (
        "verify:verify",
        "Ask operations whether results are still there: what is lost is made again.\n\n"
        "Takes the path of a stage, the id of a job, or that of an operation.\n\n"
        "Ends with 2 if nothing of this name is used, or if the operation can't tell.",
    ),
    "query": (
        "history:query",
        "List the jobs that have ended, the newest first: when, how, how long, which, and why.",
    ),
    "ops": ("history:ops", "List the operations that have results."),
    "confirm": (
        "pipeline:confirm",
        "Show or set the level from which on jobs wait for confirmation, and which ones do.",
    ),
    "inputs": ("inputs:inputs", "List the inputs that people set: their values, by whom, and why."),
    "set": (
        "inputs:set_input",
        "Set an input of the pipeline. The value holds, over restarts, until it is set again.",
    ),
    "timeline": (
        "timeline:timeline",
        "List the newest jobs of a change or of stages in the order of their creation: when they"
        " were created, how long they waited, and how long they were at work.\n\n"
        "A star marks the path that was critical.",
    ),
    "pools": (
        "pools:pools",
        "List the pools: which jobs hold their resources, for how long, and which ones wait.",
    ),
    "pauses": ("pauses:pauses", "List what is paused: by whom, until when, and why."),
    "pause": (
        "pauses:pause",
        "Have jobs wait that have not begun: those for the stages at a path and below it, or of a"
        " level, or of a pool. A pause holds over restarts, until it is resumed.",
    ),
    "resume": (
        "pauses:resume",
        "End a pause: its jobs go on, unless something else is paused for them.",
    ),
    "retention": (
        "retention:retention",
        "Show the rules of retention, and what was removed by them, or would be now.",
    ),
    "approvals": (
        "approvals:approvals",
        "List the commits that are approved: by whom, and why.",
    ),
    "approve-commit": (
        "approvals:approve_commit",
        "Let the untrusted work of exactly this commit begin. It stays untrusted.",
    ),
    "withdraw-commit": (
        "approvals:withdraw_commit",
        "Take the approval of a commit back: its work waits again, unless it was let go already.",
    ),
    "mutes": (
        "mutes:mutes",
        "List what is muted: by whom, for whom, until when, and why.",
    ),
    "mute": (
        "mutes:mute",
        "Have the failures of a stage, or those with a fingerprint, not fail what is above.\n\n"
        "With --kind, --since, --path or --label each stage that fails now and passes them all is"
        " muted; --dry-run lists them. --fingerprint alone mutes failures that come later, too."
        " The stage runs and is shown as before. A mute holds over restarts; it ends at its time,"
        " after 20 passes in a row, and by `unmute`. --reason has to be given.",
    ),
    "unmute": (
        "mutes:unmute",
        "End a mute: its failures fail what is above again.",
    ),
    "pins": (
        "pins:pins",
        "List the stages that are pinned: at which value, by whom, until when, and why.",
    ),
    "values": ("pins:values", "List the values at which a stage can be pinned, the newest first."),
    "pin": (
        "pins:pin",
        "Hold a stage that is an input at a value that it has had, to roll back for example.\n\n"
        "A pin holds over restarts, until `unpin` ends it.",
    ),
    "unpin": ("pins:unpin", "End a pin: the stage has the newest value of its input again."),
    "triggers": (
        "triggers:triggers",
        "List the triggers that people fire: their parameters and their firings.",
    ),
    "trigger": (
        "triggers:trigger",
        "Fire a trigger of the pipeline: start what it starts, with these parameters.",
    ),
    "dot": (
        "pipeline:dot",
        "Draw the pipeline as it is now, as Graphviz text; with --json, as nodes and edges.",
    ),
}
_FILES = {
    "ls": ("files:ls", "List the files of a job, or what was saved last."),
    "cat": ("files:cat", "Print a file."),
    "get": (
        "files:get",
        "Place the files of a job in a folder, which is made where it is missing. Files that are in"
        " the way are replaced.",
    ),
}
"""The help texts of the commands, which are imported only when they are called."""

_RENAMED = (Renamed("start", "approve", removed_in="0.3"),)
"""Renamed commands, whose old names still work for a while. Help does not show those."""

_Rest = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]


UrlOption = Annotated[
    str | None,
    Parameter(
        env_var=URL_VARIABLE,
        help="Where the engine serves its pages: by default where that of the state directory does,"
        f" or {DEFAULT_URL}.",
    ),
]
TokenFileOption = Annotated[
    Path | None,
    Parameter(
        help=f"A file with a token; without it, ${TOKEN_VARIABLE} may hold one. An engine on this"
        " machine that nobody else can reach takes the one in its state directory."
    ),
]
JsonOption = Annotated[bool, Parameter(negative="", help="Write what the API answers, as JSON.")]


def make_client_app() -> App:
    """Make the app, as a command of another one."""
    commands = _commands()

    def client(
        *tokens: _Rest,
        url: UrlOption = None,
        state_dir: StateDirOption = DEFAULT_STATE_DIR,
        token_file: TokenFileOption = None,
        json: JsonOption = False,
    ) -> int:
        from pycurrent.cli.client.nearby import Nearby
        from pycurrent.cli.client.remote import Remote
        from pycurrent.cli.client.session import Format, Session
        from pycurrent.cli.client.status import AccessDenied

        _tell_renamed(tokens)
        command, bound, own = commands.parse_args(tokens, exit_on_error=False, print_error=False)
        nearby = Nearby.of(state_dir)
        if url is None and nearby.url is None and nearby.why_no_token is not None:
            raise AccessDenied(nearby.why_no_token)
        where = url or nearby.url or DEFAULT_URL
        token = _token(token_file) or nearby.token_for(where)
        remote = Remote(where, token, why_no_token=nearby.why_no_token)
        session = Session(remote, nearby, Format.JSON if json else Format.TEXT)
        status = command(*bound.args, **bound.kwargs, **dict.fromkeys(own, session))
        return status if isinstance(status, int) else 0  # after --help it is none

    client.__doc__ = _describe()
    meta = commands.meta
    meta.default(client)
    meta.help_format = "plaintext"
    return meta


def _commands() -> App:
    """The commands without the options that all of them have."""
    commands = App(name="client", help=HELP, help_format="plaintext", version_flags=())
    for name, (where, what) in _COMMANDS.items():
        commands.command(f"{_PLACE}.{where}", name=name, help=what)
    files = App(
        name="files",
        help="List the files that jobs have saved, and get them.",
        help_format="plaintext",
        version_flags=(),
    )
    for name, (where, what) in _FILES.items():
        files.command(f"{_PLACE}.{where}", name=name, help=what)
    commands.command(files)
    for renamed in _RENAMED:
        where, what = _COMMANDS[renamed.new]
        commands.command(f"{_PLACE}.{where}", name=renamed.old, help=what, show=False)
    return commands


def _describe() -> str:
    """The text of `--help`."""
    return (
        f"{HELP}\n\nEnds with 0 if it was done and what was looked at is well, 1 if that has"
        " failed, 2 if it was asked wrongly (for a job that does not exist, say), 3 if the engine"
        " can't be reached, 4 if it was refused (not allowed, or it can't be done now), 5 if the"
        " end is not known yet."
    )


def _tell_renamed(tokens: Sequence[str]) -> None:
    """Print a line that says that a command was called by its old name."""
    from pycurrent.cli.output import complain

    for renamed in _RENAMED:
        if tokens[:1] == (renamed.old,):
            complain(f"pycurrent client: {renamed}")


def _token(file: Path | None) -> str | None:
    """The token for the engine, if there is one. Raises `UsageError` if it can't be read."""
    from pycurrent.errors import UsageError

    if file is None:
        token, where = os.environ.get(TOKEN_VARIABLE, "").strip(), f"${TOKEN_VARIABLE}"
        if not token:
            return None
    else:
        where = str(file)
        try:
            token = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a text file"
            raise UsageError(f"the token in {file} can't be read: {why}") from error
    if not re.fullmatch(r"[!-~]+", token):
        raise UsageError(f"{where} does not hold a token: `pycurrent token create` makes one")
    return token
