"""The options that the functions of plugins share: typed, shown one by one, and checked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

import pytest

from pycurrent.engine import Level, Secret
from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins import command, docker, git, slack, ssh
from pycurrent.plugins.docker import DEFAULT
from pycurrent.term import Current, known_as

COMMIT = git.Commit(Path("/repo/.git"), "0" * 40)
IMAGE = docker.Image("sha256:" + "0" * 64)
HOST = ssh.Host("host.example.org")
CHANNEL = slack.Channel("#builds", "xoxb-1")

CALLS: list[tuple[Callable[..., Current[Any]], tuple[Any, ...], dict[str, Any]]] = [
    (command.run, (COMMIT, ["true"]), {}),
    (command.output, (COMMIT, ["true"]), {}),
    (command.set, (COMMIT, ["true"]), {"key": "k"}),
    (DEFAULT.run, (IMAGE,), {}),
    (DEFAULT.pread, (IMAGE,), {}),
    (DEFAULT.pull, ("debian:12",), {}),
    (DEFAULT.peek, ("debian:12",), {}),
    (DEFAULT.build, (COMMIT,), {}),
    (DEFAULT.tag, (IMAGE, "a:1"), {}),
    (DEFAULT.push, (IMAGE, "a:1"), {}),
    (DEFAULT.push_manifest, ("a:1", []), {}),
    (DEFAULT.service, ("web", IMAGE), {}),
    (DEFAULT.compose, ("web", ""), {}),
    (git.clone, ("https://git.example.org/a.git",), {}),
    (git.fetch, (git.CommitId("https://git.example.org/a.git", "refs/heads/main", "0" * 40),), {}),
    (slack.post, (CHANNEL, "text"), {"key": "k"}),
    (slack.update, (CHANNEL, "text"), {"key": "k"}),
    (ssh.run, (HOST, ["true"]), {"key": "k"}),
    (ssh.output, (HOST, ["true"]), {}),
]
each = pytest.mark.parametrize(
    ("call", "args", "kwargs"), CALLS, ids=[f"{one[0].__module__}" for one in CALLS]
)


@each
def test_help_shows_the_options_one_by_one(
    call: Callable[..., Any], args: Any, kwargs: Any
) -> None:
    """With their defaults; those that all functions share are the last."""
    parameters = inspect.signature(call).parameters
    assert [*parameters][-6:] == ["timeout", "pool", "priority", "level", "retry", "label"]
    assert [parameters[name].default for name in ("timeout", "pool", "retry", "label")] == [
        None
    ] * 4
    assert isinstance(parameters["level"].default, Level)
    kinds = {parameter.kind for parameter in parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds


@each
def test_options_are_checked_where_they_are_given(
    call: Callable[..., Any], args: Any, kwargs: Any
) -> None:
    """An unknown one is refused as by any function, a wrong value by a message."""
    wrong = rf"^{re.escape(known_as(call))}\(\) got an unexpected keyword argument"
    with pytest.raises(WrongKind, match=f"{wrong} 'when': it has .*, timeout=,"):
        call(*args, **kwargs, when="now")
    with pytest.raises(WrongKind, match=rf"{wrong} 'timout'\. Did you mean: 'timeout'\?$"):
        call(*args, **kwargs, timout=60)
    with pytest.raises(WrongKind, match=r" without a name, and 3 needs one: it has "):
        call(*args, *[2] * 9, 3, **kwargs)
    with pytest.raises(UsageError, match=r"^level= takes a Level, not 'average'"):
        call(*args, **kwargs, level="average")
    with pytest.raises(UsageError, match=r"^pool= takes a Pool, not 3"):
        call(*args, **kwargs, pool=3)
    with pytest.raises(UsageError, match=r"^timeout= must be longer than nothing, not 0"):
        call(*args, **kwargs, timeout=0)
    with pytest.raises(UsageError, match=r"^retry= takes a Retry, not 3: write Retry"):
        call(*args, **kwargs, retry=3)
    with pytest.raises(UsageError, match=r"^label= takes a text, not 3"):
        call(*args, **kwargs, label=3)
    assert isinstance(call(*args, **kwargs, timeout=3, label="{it}"), Current)


def test_a_parameter_without_a_name_is_not_an_option() -> None:
    """The engine of a function of Docker's is given by its place."""
    client: Any = DEFAULT
    with pytest.raises(TypeError, match="unexpected keyword argument 'client'"):
        docker.Context.peek(client, "debian:12", client=client)  # type: ignore[call-arg]


def test_types_are_kept() -> None:
    """Type checkers know what the functions return, and each option."""
    assert_type(command.run(COMMIT, ["true"], env={"A": "1"}, level=Level.HARMLESS), Current[None])
    assert_type(command.output(COMMIT, ["true"], label="x"), Current[str])
    assert_type(command.output(COMMIT, ["true"], env="clean"), Current[str])
    assert_type(command.run(COMMIT, ["true"], env=command.CleanEnv({"A": "b"})), Current[None])
    secrets = {"TOKEN": Secret.from_env("TOKEN")}
    assert_type(command.set("v1", ["true"], key="k", secrets=secrets), Current[None])
    assert_type(DEFAULT.run(IMAGE, args=["true"]), Current[None])
    assert_type(DEFAULT.pread(IMAGE, timeout=3), Current[str])
    assert_type(DEFAULT.pull("debian:12", platform="linux/arm64"), Current[docker.Image])
    assert_type(DEFAULT.peek("debian:12", auth=docker.Auth("user", "word")), Current[str])
    assert_type(git.clone("https://git.example.org/a.git", depth=1), Current[git.Commit])
    assert_type(slack.post(CHANNEL, "text", key="k"), Current[None])
    assert_type(slack.update(CHANNEL, "text", key="k"), Current[slack.Posted])
    with pytest.raises(UsageError):
        DEFAULT.run(IMAGE, level="average")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        command.run(COMMIT, ["true"], lable="x")  # type: ignore[call-overload]
    with pytest.raises(UsageError):
        command.run(COMMIT, ["true"], env="dirty")  # type: ignore[call-overload]
    with pytest.raises(UsageError):
        command.run(COMMIT, ["true"], secrets={"TOKEN": "abc"})  # type: ignore[dict-item]
