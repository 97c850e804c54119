"""The command `pycurrent`, with all its commands."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Any

from cyclopts import App, Parameter

from pycurrent.cli.client.app import make_client_app

_AS_IT_IS: Any = MappingProxyType(
    # No argument is a NUL, so `--` is left to the reader of the whole line.
    {"help_flags": (), "version_flags": (), "end_of_options_delimiter": "\0"}
)
Rest = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def version() -> str:
    """The installed version."""
    from importlib.metadata import version

    return f"pycurrent {version('pycurrent')}"


def make_app() -> App:
    app = App(
        name="pycurrent",
        help="Keep things up to date: run pipelines, and look at what they have done.",
        version=version,
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    # Parameters of the pipeline are options too, so these read the command line themselves.
    app.command(_run, name="run", **_AS_IT_IS)
    app.command(_graph, name="graph", **_AS_IT_IS)
    app.command(_check, name="check", **_AS_IT_IS)
    add_readers(app)
    return app


def add_readers(app: App) -> None:
    """Add the commands on the files of an engine. Each is imported when it is called."""
    app.command(
        "pycurrent.cli.history:history", name="history", help="List the jobs that have been run."
    )
    app.command("pycurrent.cli.log:log", name="log", help="Show the log of a job.")
    app.command(
        "pycurrent.cli.why:why",
        name="why",
        help="Say why a job was run, and what has changed.",
    )
    app.command(
        "pycurrent.cli.explain:explain",
        name="explain",
        help="Explain a job: why it was run and has failed, since when, and what fails alike.",
    )
    app.command(
        "pycurrent.cli.shell:shell",
        name="shell",
        help="Open a terminal where a job runs, or where it has failed.",
    )
    app.command(
        "pycurrent.cli.failures:failures",
        name="failures",
        help="List the failures, those with one cause together.",
    )
    app.command(
        "pycurrent.cli.tests:list_tests",
        name="tests",
        help="List the tests that jobs have reported: of one job, or those that fail, are flaky, or"
        " are slow.",
    )
    app.command(
        "pycurrent.cli.coverage:list_coverage",
        name="coverage",
        help="List how much of the source the tests of jobs have run, or the files of one job.",
    )
    app.command(
        "pycurrent.cli.audit:audit",
        name="audit",
        help="List what people and programs have asked for, or verify that list.",
    )
    app.command("pycurrent.cli.backup:backup", name="backup", help="Copy the history to a file.")
    app.command("pycurrent.cli.control:stop", name="stop", help="Stop the engine.")
    app.command(
        "pycurrent.cli.control:upgrade",
        name="upgrade",
        help="Start the program of the engine again, while durable jobs go on.",
    )
    app.command(
        "pycurrent.cli.collect:collect",
        name="gc",
        help="Remove logs and history that are old, and no longer needed.",
    )
    app.command(make_client_app(), name="client")
    add_files(app)
    add_access(app)


def add_files(app: App) -> None:
    """Add the commands on the files that jobs have saved."""
    files = App(
        name="files",
        help="List the files that jobs have saved, and get them.",
        help_format="plaintext",
    )
    place = "pycurrent.cli.files"
    files.command(f"{place}:ls", name="ls", help="List the files of a job, or what was saved last.")
    files.command(f"{place}:cat", name="cat", help="Print a file.")
    files.command(f"{place}:get", name="get", help="Place the files of a job in a folder.")
    files.command(f"{place}:du", name="du", help="Say how much room they take.")
    app.command(files)


def add_access(app: App) -> None:
    """Add the commands on users and tokens."""
    users = App(
        name="user",
        help="Let people log in to the dashboard, by a password.",
        help_format="plaintext",
    )
    place = "pycurrent.cli.access"
    users.command(f"{place}:add_user", name="add", help="Add a user, or change one.")
    users.command(f"{place}:remove_user", name="remove", help="Remove a user.")
    users.command(f"{place}:list_users", name="list", help="List the users.")
    app.command(users)
    tokens = App(
        name="token",
        help="Let programs use the API of the dashboard, by tokens.",
        help_format="plaintext",
    )
    tokens.command(f"{place}:create_token", name="create", help="Make a token, and print it.")
    tokens.command(f"{place}:list_tokens", name="list", help="List the tokens.")
    tokens.command(f"{place}:revoke_token", name="revoke", help="Make a token invalid.")
    app.command(tokens)


def _run(*tokens: Rest) -> int:
    """Keep a pipeline up to date until stopped."""
    from pycurrent.cli.pipelines import RUN

    return RUN.on_file(tokens)


def _graph(*tokens: Rest) -> int:
    """Draw a pipeline, without running it, as Graphviz text."""
    from pycurrent.cli.pipelines import GRAPH

    return GRAPH.on_file(tokens)


def _check(*tokens: Rest) -> int:
    """Look for mistakes in a pipeline, without running it."""
    from pycurrent.cli.pipelines import CHECK

    return CHECK.on_file(tokens)
