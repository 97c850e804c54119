"""The reference has every public name, command and option."""

import pydoc
import re
from contextlib import redirect_stdout
from dataclasses import fields
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest

import pycurrent
import pycurrent.testing
import pycurrent.web
from pycurrent import Current, Job
from pycurrent.cli.app import make_app
from pycurrent.cli.end import status_of
from pycurrent.cli.library import call
from pycurrent.plugins import git
from pycurrent.testing import pytest_plugin
from pycurrent.web import AccessSettings, WebSettings

from .plugins import PLUGINS

REFERENCE = (Path(__file__).resolve().parents[2] / "docs" / "reference.md").read_text()


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which each option is on a line of its own, whole."""
    monkeypatch.setenv("COLUMNS", "200")


def documented(name: str) -> bool:
    """Whether the name, which may follow a point, stands in code of the page."""
    return re.search(rf"`[^`]*(?<![\w-]){re.escape(name)}(?![\w-])[^`]*`", REFERENCE) is not None


@pytest.mark.parametrize(
    "name", sorted({*pycurrent.__all__, *pycurrent.testing.__all__, *pycurrent.web.__all__})
)
def test_public_name(name: str) -> None:
    """Each name that can be imported from pycurrent, and from its testing and web, is there."""
    assert documented(name)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.__name__)
def test_plugin(plugin: ModuleType) -> None:
    """Each name of a plugin is there, behind the plugin's."""
    short = plugin.__name__.rpartition(".")[2]
    assert [name for name in plugin.__all__ if not documented(f"{short}.{name}")] == []


@pytest.mark.parametrize("of", [Current, git.Local])
def test_methods(of: type) -> None:
    """Each public method is there."""
    methods = [name for name, value in vars(of).items() if callable(value) and name[0] != "_"]
    assert [name for name in methods if not documented(f".{name}")] == []


def test_help_on_a_job() -> None:
    """`help(Job)` shows what operations may use, all of which is there; nothing of the engine's."""
    text = pydoc.plain(pydoc.render_doc(Job))
    shown = re.findall(r"^ \|  (?:async )?(\w+)(?:\(|$)", text, re.MULTILINE)
    shown = [name for name in shown if not name.startswith("_")]
    members = {name for name in shown if name not in {"Job", "Methods", "builtins"}}
    assert {"id", "start", "exec", "tempdir"} <= members
    assert members == {name for name in vars(Job) if not name.startswith("_")}
    assert [name for name in members if not documented(f".{name}")] == []
    assert "__init__" not in text


def test_fixtures() -> None:
    """Each fixture is there."""
    fixtures = [
        name
        for name, value in vars(pytest_plugin).items()
        if type(value).__name__ == "FixtureFunctionDefinition"
    ]
    assert fixtures
    assert [name for name in fixtures if not documented(name)] == []


def shown_help(*words: str) -> str:
    """What the help of a command shows."""
    with redirect_stdout(StringIO()) as shown:
        assert status_of("pycurrent", lambda: call(make_app(), [*words, "--help"])) == 0
    return shown.getvalue()


def options(*words: str) -> set[str]:
    """The options that the help of a command shows."""
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", shown_help(*words))) - {"-h"}


COMMANDS = {
    "": {
        "run",
        "check",
        "graph",
        "history",
        "log",
        "shell",
        "why",
        "explain",
        "failures",
        "files",
        "tests",
        "coverage",
        "audit",
        "backup",
        "stop",
        "upgrade",
        "gc",
        "user",
        "token",
        "client",
    },
    "files": {"ls", "cat", "get", "du"},
    "client files": {"ls", "cat", "get"},
    "user": {"add", "remove", "list"},
    "token": {"create", "revoke", "list"},
    "client": {
        "address",
        "overview",
        "jobs",
        "stages",
        "wait",
        "status",
        "why",
        "explain",
        "failures",
        "changes",
        "files",
        "tests",
        "coverage",
        "log",
        "compare",
        "approve",
        "cancel",
        "rebuild",
        "rebuild-all",
        "verify",
        "apply-rules",
        "query",
        "ops",
        "confirm",
        "inputs",
        "retention",
        "approvals",
        "approve-commit",
        "withdraw-commit",
        "pauses",
        "timeline",
        "pools",
        "mutes",
        "mute",
        "unmute",
        "pause",
        "resume",
        "set",
        "pins",
        "values",
        "pin",
        "unpin",
        "triggers",
        "trigger",
        "dot",
    },
}
"""Those of each group; the groups are commands, too."""


@pytest.mark.parametrize(
    ("group", "word"),
    [(group, word) for group, words in COMMANDS.items() for word in sorted(words)],
)
def test_command(group: str, word: str) -> None:
    """The command is there, and each of its options."""
    assert documented(word if group else f"pycurrent {word}")
    assert {name for name in options(*group.split(), word) if not documented(name)} == set()


@pytest.mark.parametrize("group", COMMANDS)
def test_commands(group: str) -> None:
    """There is no other command than those above."""
    shown = shown_help(*group.split())
    assert set(re.findall(r"^│ ([a-z][a-z-]*) ", shown, re.MULTILINE)) == COMMANDS[group]


def test_the_settings_of_the_dashboard() -> None:
    """Each setting is there."""
    settings = {field.name for of in (WebSettings, AccessSettings) for field in fields(of)}
    assert {name for name in settings if not documented(name)} == set()
