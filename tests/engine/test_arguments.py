"""What authors give to the engine is refused in their words, where it is given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pycurrent as current
from pycurrent import (
    Config,
    Engine,
    FileMonitor,
    Level,
    Limits,
    LogRule,
    Monitor,
    Pool,
    UsageError,
)
from pycurrent.engine.command import Command
from pycurrent.plugins import command, fs, git

COMMIT = git.Commit(Path("/repo/.git"), "0" * 40)


def run(**options: Any) -> object:
    return command.run(COMMIT, ["true"], **options)


def words(**options: Any) -> object:
    return Command(["true"], **options)


def pipeline() -> Any:
    return current.constant(3)


CASES: list[tuple[Callable[..., object], dict[str, Any], str]] = [
    (
        Pool,
        {"label": "builds", "capacity": "2"},
        "pool 'builds': capacity= takes a whole number, not '2'",
    ),
    (Pool, {"label": "builds", "capacity": True}, "pool 'builds': capacity= takes a whole number"),
    (Pool, {"label": "builds", "capacity": 0}, "pool 'builds' must have a capacity of 1 or more"),
    (Pool, {"label": 2, "capacity": 2}, "Pool takes a label first, not 2"),
    (Pool.of, {"label": "builds", "acquire": 2}, "Pool.of takes a label and a function"),
    (Pool.of, {"label": 2, "acquire": print}, "Pool.of takes a label and a function"),
    (Limits, {"level": 3}, "level= takes a Level, not 3"),
    (Limits, {"level": Level.HARMLESS, "pool": "p"}, "pool= takes a Pool, not 'p'"),
    (Limits, {"level": Level.HARMLESS, "timeout": 0}, "timeout= must be longer than nothing"),
    (Limits, {"level": Level.HARMLESS, "priority": 0.5}, "priority= takes a whole number"),
    (Config, {"confirm": "average"}, "Config: confirm= takes a Level, not 'average'"),
    (Config, {"confirm": 2}, "Config: confirm= takes a Level, not 2"),
    (Config, {"auto_release": 60}, "Config: auto_release= takes a timedelta, not 60"),
    (Config, {"insist": "yes"}, "Config: insist= takes True or False, not 'yes'"),
    (Config, {"jobs": True}, "jobs is how many"),
    (LogRule, {"pattern": 3, "report": "x", "score": 1}, "LogRule: pattern= takes a text, not 3"),
    (
        LogRule,
        {"pattern": "x", "report": None, "score": 1},
        "LogRule: report= takes a text, not None",
    ),
    (
        LogRule,
        {"pattern": "x", "report": "x", "score": "1"},
        "LogRule: score= takes a whole number",
    ),
    (Monitor, {"read": 3, "watch": lambda refresh: None}, "Monitor: read= takes a function, not 3"),
    (Monitor, {"read": lambda: 3, "watch": 3}, "Monitor: watch= takes a function, not 3"),
    (Monitor, {"read": lambda: 3, "watch": None}, "Monitor needs watch=, a function that tells of"),
    (FileMonitor, {"read": lambda: 3, "paths": ["a"]}, "FileMonitor: paths= takes a function"),
    (FileMonitor, {"read": lambda: 3, "paths": list, "describe": 3}, "Monitor: describe= takes"),
    (Engine, {"pipeline": current.constant(3), "state_dir": "x"}, "Engine takes a function that"),
    (Engine, {"pipeline": pipeline, "state_dir": 3}, "Engine: state_dir= takes a path, not 3"),
    (
        Engine,
        {"pipeline": pipeline, "state_dir": "x", "config": 3},
        "Engine: config= takes a Config",
    ),
    (run, {"level": "harmless"}, "level= takes a Level, not 'harmless': write Level.HARMLESS"),
    (run, {"level": None}, "level= takes a Level, not None"),
    (run, {"pool": 2}, 'pool= takes a Pool, not 2: write Pool("builds", 2)'),
    (run, {"pool": -1}, 'pool= takes a Pool, not -1: write Pool("builds", 2)'),
    (run, {"timeout": "10m"}, "timeout= takes seconds or a timedelta, not '10m'"),
    (run, {"timeout": -1}, "timeout= must be longer than nothing, not -1"),
    (run, {"timeout": True}, "timeout= takes seconds or a timedelta, not True"),
    (run, {"timeout": float("inf")}, "timeout= is too long (inf): None is without end"),
    (run, {"timeout": float("nan")}, "timeout= must be longer than nothing, not nan"),
    (run, {"label": 3}, "label= takes a text, not 3"),
    (fs.save, {"path": "x", "contents": "x", "level": 2}, "level= takes a Level, not 2"),
    (fs.save, {"path": "x", "contents": "x", "mode": "644"}, "mode= takes a number like 0o644"),
    (fs.save_tree, {"folder": "x", "files": {}, "level": "x"}, "level= takes a Level, not 'x'"),
    (words, {"cwd": 3}, "a command's cwd= takes a path, not 3"),
    (words, {"env": ["A=1"]}, "a command's env= takes a dict, not list"),
    (words, {"env": {"A": 1}}, "a command's env= takes texts: 'A' is of type str, its"),
    (words, {"stdin": 3}, "a command's stdin= takes a text or bytes, not 3"),
    (words, {"grace": "5"}, "a command's grace= takes seconds, 0 or more, not '5'"),
    (words, {"grace": timedelta(seconds=5)}, "a command's grace= takes seconds"),
    (words, {"grace": -1}, "a command's grace= takes seconds, 0 or more, not -1"),
    (words, {"dir": "x"}, "a command has no option dir=: it has cwd, env, stdin, cancellable,"),
    (words, {"show": 3}, "a command's show= takes a text or its words, not 3"),
]


@pytest.mark.parametrize(("made", "given", "said"), CASES)
def test_what_can_not_be_is_refused_where_it_is_given(
    made: Callable[..., object], given: dict[str, Any], said: str
) -> None:
    """Not when a job starts, or never: the message names what is given, and what is taken."""
    with pytest.raises(UsageError) as refused:
        made(**given)
    assert str(refused.value).startswith(said)


def test_a_level_is_set_to_a_level() -> None:
    """While an engine runs, too."""
    config, level = Config(confirm=Level.AVERAGE), "none"
    with pytest.raises(UsageError, match=r"confirm= takes a Level, not 'none'"):
        config.confirm = level  # type: ignore[assignment]
    assert config.confirm is Level.AVERAGE


def test_a_schedule_of_an_operation_is_a_schedule() -> None:
    """A plugin that passes on what it was given need not look at it."""

    class Frob(current.Builder[str, str]):
        id = "frob"

        async def build(self, job: current.Job, key: str) -> str:
            return key

    hour: Any = timedelta(hours=1)
    with pytest.raises(UsageError, match=r"'frob': schedule= takes a Schedule, not timedelta"):
        Frob().get("x", schedule=hour)


def test_a_current_is_not_a_word_of_a_command() -> None:
    """The message says how to have its value."""
    word: Any = current.constant("x")
    with pytest.raises(current.UsageError, match="take the value of a current as a parameter"):
        Command(["echo", word])
