"""The environments of commands."""

import asyncio
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.plugins.command import CleanEnv, Sandbox
from pycurrent.term import Current, Failed, Ok, Stats, Var, all
from pycurrent.testing import Harness

NAMES = ["sh", "-c", "env | grep -v '^_=' | cut -d= -f1 | sort | tr '\\n' ' '"]


async def test_a_clean_environment_has_nothing_of_the_engines(
    commit: git.Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a word, or with variables of its own."""
    monkeypatch.setenv("API_TOKEN", "of the engine")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "none"))

    def pipeline() -> Current[list[str]]:
        return command.output(commit, NAMES, env="clean").bind(
            lambda bare: command.output(commit, NAMES, env=CleanEnv({"NAME": "x"})).map(
                lambda named: [bare, named]
            )
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        basics = "HOME LANG PATH PWD TMPDIR "
        assert h.output == Ok([basics, basics.replace("PATH", "NAME PATH")])


async def test_its_folders_are_empty_and_gone_with_the_job(
    commit: git.Commit, tmp_path: Path
) -> None:
    """Neither the user's settings nor the leftovers of others change a result."""
    line = "ls -A ~ $TMPDIR && touch ~/.settings && mktemp && echo $LANG $PATH"
    state = tmp_path / "state"
    current = command.output(commit, ["sh", "-c", line], env="clean")
    async with Harness(lambda: current, state_dir=state) as h:
        await h.settle()
        assert isinstance(h.output, Ok), h.output
        lines = [line for line in h.output.value.splitlines() if line]
        home, tmp, made, last = lines
        assert home.startswith(str(state))
        assert home.endswith("/home:")
        assert made.startswith(tmp.removesuffix(":") + "/")
        assert last == "C.UTF-8 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert list((state / "tmp").iterdir()) == []


@pytest.mark.usefixtures("bwrap")
async def test_an_environment_is_part_of_the_key_where_it_matters(
    commit: git.Commit, tmp_path: Path
) -> None:
    """One that adds nothing is none, and a sandbox has a clean one anyway."""
    forms: list[Any] = [None, {}, "clean", CleanEnv(), CleanEnv({}), CleanEnv({"A": "b"})]

    def pipeline() -> Current[None]:
        plain = [command.run(commit, ["true"], env=env) for env in forms]
        boxed = [command.run(commit, ["true"], env=env, sandbox=Sandbox()) for env in forms]
        return all([*plain, *boxed])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.stats == Stats(ok=12)
        keys = [json.loads(build.key) for build in h.history("command-run")]
        assert sorted((str(k.get("clean")), "sandbox" in k, str(k["env"])) for k in keys) == [
            ("None", False, "{}"),
            ("None", True, "{'A': 'b'}"),
            ("None", True, "{}"),
            ("True", False, "{'A': 'b'}"),
            ("True", False, "{}"),
        ]


async def test_an_environment_may_be_a_current(commit: git.Commit, tmp_path: Path) -> None:
    """Of either form; a change runs the command again."""
    env: Var[Any] = Var("env", CleanEnv({"NAME": "x"}))

    def pipeline() -> Current[str]:
        return command.output(commit, ["sh", "-c", "echo $NAME $HOME"], env=env.get())

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        assert h.output.value.startswith("x /")
        env.set({"NAME": "y", "HOME": "z"})
        await h.settle()
        assert h.output == Ok("y z\n")


async def test_a_current_of_what_can_be_no_environment_is_a_failure(
    commit: git.Commit, tmp_path: Path
) -> None:
    """That says what to write."""
    env: Var[Any] = Var("env", "dirty")
    current = command.run(commit, ["true"], env=env.get())
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert 'env= takes a dict, "clean" or CleanEnv' in h.output.message


async def test_the_log_has_the_line_by_which_a_person_runs_the_same(
    commit: git.Commit, tmp_path: Path
) -> None:
    """With its variables. What a failure says is shorter."""
    words = ["sh", "-c", 'test "$A" = "b c" && exit 9']

    def pipeline() -> Current[None]:
        return all(
            [
                command.run(commit, words, env={"A": "b c"}, label="added"),
                command.run(commit, words, env=CleanEnv({"A": "b c"}), label="clean"),
            ]
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Failed(f"{shlex.join(words)} exited with status 9")
        logs = [handle.log_text() for handle in h.jobs.values()]
    lines = sorted(re.findall(r"Exec: (.* sh -c .*)\n", "".join(logs)))
    assert [line.split("=")[0] for line in lines] == ["A", "env -i HOME"]
    for line in lines:
        by_hand = await asyncio.create_subprocess_shell(line)
        assert await by_hand.wait() == 9


def test_what_can_be_no_environment_is_refused(commit: git.Commit) -> None:
    """Where it is written, with what to write."""
    wrong: list[tuple[Any, str]] = [
        ("dirty", r'env= takes a dict, "clean" or CleanEnv\({...}\), not \'dirty\''),
        (["A=b"], "env= takes a dict"),
        ({"A": 1}, "env= takes"),
    ]
    for env, said in wrong:
        with pytest.raises(UsageError, match=said):
            command.run(commit, ["true"], env=env)
    variables: list[tuple[Any, str]] = [
        ("A=b", "CleanEnv takes a dict, not 'A=b'"),
        ({"A": 1}, "CleanEnv takes texts, not 1"),
    ]
    for given, said in variables:
        with pytest.raises(UsageError, match=said):
            CleanEnv(given)
