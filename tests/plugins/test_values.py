"""The functions of plugins refuse what they can't work with, in the words of who calls them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent.errors import UsageError
from pycurrent.plugins import command, docker, fs, git
from pycurrent.plugins.docker import DEFAULT
from pycurrent.term import Current, Failed, constant, evaluate

IMAGE = docker.Image("sha256:" + "0" * 64)
COMMIT = git.Commit(Path("/repo/.git"), "0" * 40)

CASES: list[tuple[Callable[[Any], Current[Any]], Any, str]] = [
    (
        lambda x: command.run(x, ["true"]),
        "HEAD",
        "command.run: commit= takes Commit or Subtree or Tree, not 'HEAD'",
    ),
    (
        lambda x: command.output(x, ["true"]),
        None,
        "command.output: commit= takes Commit or Subtree or Tree, not None",
    ),
    (lambda x: command.run(COMMIT, ["true"], env=x), {"A": 1}, "command.run: env= takes"),
    (
        lambda x: command.run(COMMIT, x),
        ["sleep", 3],
        "a command is a list of its words, each a text, not 3",
    ),
    (lambda x: DEFAULT.run(IMAGE, args=x), ["a", 3], "arguments are a list of words, each a text"),
    (lambda x: fs.save("file", x), 3, "fs.save: contents= takes str or bytes or File, not 3"),
    (lambda x: fs.save(x, "text"), 3, "fs.save: path= takes Path or str, not 3"),
    (lambda x: fs.save_tree("folder", x), ["a"], "fs.save_tree: files= takes"),
    (
        DEFAULT.run,
        "debian:12",
        "docker.run: image= takes Image, not 'debian:12'",
    ),
    (
        DEFAULT.build,
        "HEAD",
        "docker.build: context= takes Commit or Subtree or Tree or Path or None",
    ),
    (lambda x: DEFAULT.tag(IMAGE, tag=x), 3, "docker.tag: tag= takes str, not 3"),
    (git.clone, 3, "git.clone: repo= takes str, not 3"),
    (git.fetch, COMMIT, "git.fetch: commit_id= takes CommitId, not Commit"),
]


@pytest.mark.parametrize(("call", "value", "said"), CASES)
def test_a_value_of_another_type_is_refused(
    call: Callable[[Any], Current[Any]], value: Any, said: str
) -> None:
    """At once if it is plain, and as a failure if a current gives it."""
    with pytest.raises(UsageError) as refused:
        call(value)
    assert str(refused.value).startswith(said)
    output = evaluate(call(constant(0).map(lambda _: value)))
    assert isinstance(output, Failed)
    assert output.message.startswith(said)


def test_a_repository_is_not_a_commit(tmp_path: Path) -> None:
    """The message says how to have the one from the other."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    repo: Any = git.Local(tmp_path)
    with pytest.raises(UsageError) as refused:
        command.run(repo, ["true"])
    assert str(refused.value) == (
        "command.run: commit= takes Commit or Subtree or Tree, not Local: write repo.head_commit()"
    )


@pytest.mark.parametrize("call", [command.run, command.output])
def test_a_current_among_the_words_is_refused(call: Callable[..., Current[Any]]) -> None:
    """All of the words are to be one current, then."""
    words: Any = ["echo", constant("x")]
    with pytest.raises(UsageError, match=r"list of its words, not a tuple that holds .*: make one"):
        call(COMMIT, words)
