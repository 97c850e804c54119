"""Secrets for commands: in their environment, and nowhere else."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Config, Level, Secret
from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.plugins.command import CleanEnv, Sandbox
from pycurrent.term import Current, Failed, FailureKind, Ok, Stats, Var
from pycurrent.testing import Harness

TOKEN = "correct-horse'battery staple"
SPELLED = base64.b64encode(TOKEN.encode()).decode()
PRINTED = 'echo "$TOKEN"; printf %s "$TOKEN" | base64; export -p; '
FORMS: list[dict[str, Any]] = [{}, {"env": "clean"}, {"sandbox": Sandbox()}]
each_form = pytest.mark.parametrize("form", FORMS, ids=["inherited", "clean", "sandbox"])
FUNCTIONS: list[Callable[..., Current[Any]]] = [command.run, command.output, command.set]


def command_lines() -> list[str]:
    """The arguments of all processes of the machine, as `ps` shows them."""
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return lines


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.mark.usefixtures("bwrap")
@each_form
async def test_a_secret_is_in_the_commands_environment_only(
    commit: git.Commit, tmp_path: Path, token: Path, form: dict[str, Any]
) -> None:
    """Not in what `ps` shows, the log, the failure, or any file of the engine's, however the
    command spells it.
    """
    state, mark = tmp_path / "state", f"33{tmp_path.stat().st_ino}"
    line = f"{PRINTED} echo printed $((1 + 1)); sleep {mark}"
    current = command.run(
        commit, ["sh", "-c", line], secrets={"TOKEN": Secret.from_file(token)}, **form
    )
    async with Harness(lambda: current, state_dir=state) as h:
        # All of it, as this line is the last one.
        await h.until(lambda: h.jobs and "printed 2" in h.log("sh"))
        assert any(mark in line for line in command_lines())
        assert [line for line in command_lines() if TOKEN in line or SPELLED in line] == []
        h.find("sh").cancel("enough")
        await h.settle()
        log = h.log("sh")
        assert log.count("****") == 3
        assert "TOKEN=... sh -c" in log
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    for spelling in (TOKEN, SPELLED, "horse", "battery"):
        assert spelling.encode() not in kept, spelling


@each_form
@pytest.mark.usefixtures("bwrap")
async def test_the_command_gets_all_of_it(
    commit: git.Commit, tmp_path: Path, form: dict[str, Any]
) -> None:
    """Several lines, quotes and bytes that are no text."""
    secret = b"-----BEGIN-----\n'\"$(id)\xff\xfe\n-----END-----"
    (tmp_path / "key").write_bytes(secret + b"\n")
    given = {"KEY": Secret.from_file(tmp_path / "key")}
    words = ["sh", "-c", 'printf %s "$KEY" | wc -c']
    async with Harness(
        lambda: command.output(commit, words, secrets=given, **form), state_dir=tmp_path / "state"
    ) as h:
        await h.settle()
        assert h.output == Ok(f"{len(secret)}\n")


async def test_an_output_that_has_a_secret_is_not_recorded(
    commit: git.Commit, tmp_path: Path, token: Path
) -> None:
    """Masked it would be another value, so it is a failure, in whatever way it is spelled."""
    words = ["sh", "-c", 'printf "%s" "$TOKEN" | base64']

    def pipeline() -> Current[str]:
        return command.output(commit, words, secrets={"TOKEN": Secret.from_file(token)})

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Failed(
            "the command has printed the secret TOKEN, and its output would be recorded: have it"
            " print anything else"
        )
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*.*"))
    assert SPELLED.encode() not in kept


async def test_another_secret_runs_nothing_again(
    commit: git.Commit, tmp_path: Path, token: Path
) -> None:
    """Neither another value, nor another place or name: they are not in the key. A rebuild reads
    the file again.
    """
    names = {"TOKEN": Secret.from_file(token)}

    def pipeline() -> Current[str]:
        return command.output(commit, ["sh", "-c", 'echo "${#TOKEN}"'], secrets=names)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(f"{len(TOKEN)}\n")
    token.write_text("four")
    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(f"{len(TOKEN)}\n")
        h.find("output of").rebuild()
        await h.settle()
        assert h.output == Ok("4\n")
        assert not any("TOKEN" in build.key and "secret" in build.key for build in h.history())
    names = {"OTHER": Secret.from_env("NOT_SET_ANYWHERE")}
    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok("4\n")


async def test_a_secret_is_read_when_the_job_starts(
    commit: git.Commit, tmp_path: Path, token: Path
) -> None:
    """Its confirmation may take long, and the secret change meanwhile."""

    def pipeline() -> Current[str]:
        return command.output(
            commit,
            ["sh", "-c", 'echo "${#TOKEN}"'],
            secrets={"TOKEN": Secret.from_file(token)},
            level=Level.DANGEROUS,
        )

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path / "state", config=config) as h:
        await h.settle()
        assert h.stats == Stats(waiting_for_confirmation=1)
        token.write_text("rotated\n")
        h.find("output of").approve()
        await h.settle()
        assert h.output == Ok("7\n")


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_a_secret_that_is_missing_fails_the_job_before_it_starts(
    commit: git.Commit, tmp_path: Path, function: Callable[..., Current[Any]]
) -> None:
    """Nobody is asked to confirm it. It is the machine's failure, and no result: the next engine
    tries again.
    """
    place = tmp_path / "later"
    more: dict[str, Any] = {"key": "k"} if function is command.set else {}

    def pipeline() -> Current[Any]:
        secrets = {"TOKEN": Secret.from_file(place)}
        return function(commit, ["true"], secrets=secrets, level=Level.DANGEROUS, **more)

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path / "state", config=config) as h:
        await h.settle()
        assert h.output == Failed(
            f"no secret for TOKEN: the file {place} can't be read: No such file or directory"
        )
        assert isinstance(h.output, Failed)
        assert h.output.kind is FailureKind.INFRA
        assert "Exec" not in h.log("true")
    place.write_text("correct-horse")
    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Ok)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_can_be_no_secret_is_refused_where_it_is_written(
    commit: git.Commit, function: Callable[..., Current[Any]]
) -> None:
    """Without a word of what it is."""
    more: dict[str, Any] = {"key": "k"} if function is command.set else {}
    secret = Secret.from_env("API_TOKEN")
    wrong: list[tuple[Any, str]] = [
        (
            {"TOKEN": "correct-horse"},
            r"^secrets= takes a Secret for TOKEN, not a str: write Secret.from_env\(\"TOKEN\"\), or"
            r" Secret.from_file\(...\)$",
        ),
        (["TOKEN"], r"^secrets= takes a dict, not list: write {"),
        (secret, r"^secrets= takes a dict, not "),
        ({"MY-TOKEN": secret}, r"^'MY-TOKEN' can't be the variable of a secret"),
        ({1: secret}, r"^1 can't be the variable of a secret"),
        ({"A": secret}, r"^A is both in env= and in secrets=: leave out one of them$"),
    ]
    for secrets, said in wrong:
        for env in ({"A": "b"}, CleanEnv({"A": "b"})):
            with pytest.raises(UsageError, match=said) as refused:
                function(commit, ["true"], secrets=secrets, env=env, **more)
            assert "correct-horse" not in str(refused.value)


async def test_a_variable_that_is_both_is_refused_where_a_current_gives_it(
    commit: git.Commit, tmp_path: Path
) -> None:
    """As a failure of the stage, then."""
    env = Var("env", {"TOKEN": "x"})
    secrets = {"TOKEN": Secret.from_env("API_TOKEN")}
    async with Harness(
        lambda: command.run(commit, ["true"], env=env.get(), secrets=secrets),
        state_dir=tmp_path / "state",
    ) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "TOKEN is both in env= and in secrets=" in h.output.message


async def test_by_hand_has_the_name_of_a_secret(
    commit: git.Commit, tmp_path: Path, token: Path
) -> None:
    """And what explains a job has no more of it. A failure does without the variables."""
    words = ["sh", "-c", "echo $TOKEN; exit 3"]
    async with Harness(
        lambda: command.run(commit, words, secrets={"TOKEN": Secret.from_file(token)}),
        state_dir=tmp_path / "state",
    ) as h:
        await h.settle()
        assert h.output == Failed("sh -c 'echo $TOKEN; exit 3' exited with status 3")
        assert "Exec: TOKEN=... sh -c 'echo $TOKEN; exit 3'\n" in h.log("sh")
