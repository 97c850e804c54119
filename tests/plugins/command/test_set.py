"""A command as a publisher: it sets a key to a commit, or to a value."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Retry
from pycurrent.engine import Config, Level, Secret
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins import command, docker, git
from pycurrent.plugins.command import CleanEnv, Sandbox
from pycurrent.plugins.command.program import Program
from pycurrent.plugins.command.runner import Runner
from pycurrent.plugins.command.secrets import CommandSecrets
from pycurrent.plugins.command.set import CommandSet, Setting, ToCommit, ToValue
from pycurrent.term import Current, Failed, Ok, Stats, Var, all, constant
from pycurrent.testing import Harness, check_operation

from ..repositories import Repo


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The place that is set by commands."""
    return tmp_path / "there"


def append(there: Path) -> list[str]:
    """Add the value, and what the folder has."""
    return ["sh", "-c", f'echo "$PYCURRENT_VALUE" $(ls -A) >> {there}']


async def test_a_commit_is_set_in_its_checkout(repo: Repo, there: Path, tmp_path: Path) -> None:
    """And set again when it comes back: another one has been set since."""
    words = ["sh", "-c", f"test $PYCURRENT_VALUE = $(git rev-parse HEAD) && cat a.txt >> {there}"]

    def pipeline() -> Current[None]:
        return command.set(git.Local(repo.path).head_commit(), words, key="production")

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)
        repo.commit("second", a_txt="two")
        await h.settle()
        repo.git("checkout", "--quiet", "--detach", "HEAD~")
        await h.settle()
        assert there.read_text() == "onetwoone"
        assert [build.key for build in h.history("command-set")] == ["production"] * 3
        first = git.Local(repo.path).check()
        titles = {handle.description for handle in h.jobs.values()}
        assert f"set production to {first.hash[:10]}: sh -c" in str(titles)
        assert "set production" in h.dot()
    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert there.read_text() == "onetwoone"


@dataclass(frozen=True)
class Release:
    name: str
    ports: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("1.2 ü\n'x'", "1.2 ü 'x'"),
        (3, "3"),
        (None, "null"),
        (Path("/a b"), "/a b"),
        (docker.Image("sha256:" + "0" * 64), f'{{"digest":null,"id":"sha256:{"0" * 64}"}}'),
        (["a", True], '["a",true]'),
        (Release("ü", (80, 443)), '{"name":"ü","ports":[80,443]}'),
    ],
)
async def test_a_value_is_set_in_an_empty_folder(
    there: Path, tmp_path: Path, value: Any, told: str
) -> None:
    """The command is told a text as it is, and anything else as JSON."""
    words = ["sh", "-c", f"echo $PYCURRENT_VALUE $(ls -A) >> {there}"]
    async with Harness(
        lambda: command.set(value, words, key="k"), state_dir=tmp_path / "state"
    ) as h:
        await h.settle()
        assert h.output == Ok(None)
        assert there.read_text() == f"{told}\n"


async def test_another_command_or_environment_sets_the_same_value_again(
    there: Path, tmp_path: Path
) -> None:
    """What was done before may have been something else."""
    words, env = Var("words", append(there)), Var("env", {"A": "b"})

    def pipeline() -> Current[None]:
        return command.set(constant("v1"), words.get(), key="k", env=env.get())

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert there.read_text() == "v1\n"
        env.set({"A": "c"})
        await h.settle()
        words.set([*append(there), "more"])
        await h.settle()
        assert there.read_text() == "v1\n" * 3


async def test_a_number_and_its_text_are_two_values(there: Path, tmp_path: Path) -> None:
    """As everywhere, though the command is told the same."""
    value: Var[Any] = Var("value", 1)
    async with Harness(
        lambda: command.set(value.get(), append(there), key="k"), state_dir=tmp_path / "state"
    ) as h:
        for wanted in (1, "1", True):
            value.set(wanted)
            await h.settle()
        assert there.read_text() == "1\n1\ntrue\n"


async def test_two_values_for_a_key_are_an_error_that_names_both(
    there: Path, tmp_path: Path
) -> None:
    """And nothing is run. Other keys are others."""

    def pipeline() -> Current[None]:
        return all([command.set(v, append(there), key="k") for v in ("one", "two")])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "command-set k is set to two values at once: " in h.output.message
        assert '"value":"one"' in h.output.message
        assert '"value":"two"' in h.output.message
        assert not there.exists()


async def test_a_run_is_finished_before_the_next_value_is_set(there: Path, tmp_path: Path) -> None:
    """Half a deployment is the worst: only the last of several values follows."""
    value, go = Var("value", "one"), tmp_path / "go"
    line = f"echo begin $PYCURRENT_VALUE >> {there}; until test -e {go}; do sleep 0.02; done"
    words = ["sh", "-c", f"{line}; echo end $PYCURRENT_VALUE >> {there}"]
    async with Harness(
        lambda: command.set(value.get(), words, key="k"), state_dir=tmp_path / "state"
    ) as h:
        await h.until(there.exists)
        value.set("two")
        value.set("three")
        await h.until(lambda: h.stats.running == 1)
        go.touch()
        await h.settle()
        assert h.output == Ok(None)
        assert there.read_text().split("\n")[:-1] == [
            *("begin one", "end one"),
            *("begin three", "end three"),
        ]


async def test_it_waits_for_confirmation_as_something_dangerous(
    there: Path, tmp_path: Path
) -> None:
    """Unless another level is given."""

    def pipeline() -> Current[None]:
        return all(
            [
                command.set("v", append(there), key="production"),
                command.set("v", append(there), key="staging", level=Level.AVERAGE),
            ]
        )

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path / "state", config=config) as h:
        await h.settle()
        assert h.stats == Stats(ok=1, waiting_for_confirmation=1)
        h.find("set production").approve()
        await h.settle()
        assert h.stats == Stats(ok=2)


@pytest.mark.usefixtures("bwrap")
async def test_the_options_of_run_hold(commit: git.Commit, tmp_path: Path) -> None:
    """Sandbox, environment, secret, timeout and label, for a commit and for a value."""
    (tmp_path / "token").write_text("correct-horse")
    values: list[git.Commit | str] = [commit, "v1"]
    line = 'test "$TOKEN$A$PYCURRENT_VALUE" = "correct-horseb$1" && test ! -e /root/x'

    def pipeline() -> Current[None]:
        return all(
            [
                command.set(
                    value,
                    ["sh", "-c", line, "sh", value if isinstance(value, str) else value.hash],
                    key=f"{number}{place}",
                    secrets={"TOKEN": Secret.from_file(tmp_path / "token")},
                    env=CleanEnv({"A": "b"}),
                    sandbox=sandbox,
                    timeout=timedelta(minutes=1),
                    label=f"box {number}",
                )
                for number, value in enumerate(values)
                for place, sandbox in enumerate([None, Sandbox()])
            ]
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)
        assert {"box 0", "box 1"} <= {node.label for node in h.graph().nodes}


async def test_it_keeps_the_rules(commit: git.Commit, tmp_path: Path) -> None:
    """Those of all operations: of cancelling, restarting, and leaving nothing behind."""
    runner = Runner(Limits(Level.AVERAGE), CommandSecrets())
    of_commit = ToCommit(commit.hash)
    await check_operation(
        CommandSet(commit, runner),
        "production",
        Setting(of_commit, Program(("true",))),
        others=[
            ("a b\nc", Setting(ToValue.of("x" * 100 + "\n"), Program(("true", "\n")))),
            ("b", Setting(ToValue.of({"$commit": 1.5}), Program(("a",), {}, Sandbox()))),
        ],
        failing=("other", Setting(of_commit, Program(("false",), {"A": "b"}, is_clean=True))),
        state_dir=tmp_path / "checks",
    )


def test_what_can_not_be_set_is_refused_where_it_is_written(commit: git.Commit) -> None:
    """With what to write."""
    remote = git.CommitId("https://git.example.org/a.git", "refs/heads/main", "0" * 40)
    secret = {"PYCURRENT_VALUE": Secret.from_env("X")}
    wrong: list[tuple[Any, Any, dict[str, Any], str]] = [
        (remote, ["true"], {}, r"not a CommitId: write git.fetch\(commit_id\), or commit_id.hash"),
        (object(), ["true"], {}, "the value of command.set"),
        ([constant(1)], ["true"], {}, "command.set takes values and currents, not "),
        ("v", "true", {}, "command.set: argv= takes Sequence"),
        ("v", [], {}, "a command is a list of its words"),
        ("v", ["true"], {"key": 3}, "command.set: key= takes str, not 3"),
        ("v", ["true"], {"secrets": secret}, "finds the value in PYCURRENT_VALUE, so neither"),
        (
            "v",
            ["true"],
            {"env": {"PYCURRENT_VALUE": "x"}},
            "finds the value in PYCURRENT_VALUE, so neither",
        ),
    ]
    for value, argv, more, said in wrong:
        with pytest.raises(UsageError, match=said):
            command.set(value, argv, **{"key": "k", **more})


async def test_a_retry_is_taken(there: Path, tmp_path: Path) -> None:
    """At a level that allows to try again."""
    line = f"test -e {there} || {{ touch {there}; exit 1; }}"
    retry = Retry(real=1, backoff=timedelta(seconds=1))
    current = command.set("v", ["sh", "-c", line], key="k", level=Level.AVERAGE, retry=retry)
    async with Harness(lambda: current, state_dir=tmp_path / "state") as h:
        await h.settle()
        await h.advance(timedelta(minutes=1))
        assert h.output == Ok(None)
        assert [build.ok for build in h.history()] == [False, True]
