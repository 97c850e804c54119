"""Commands in checkouts of commits."""

from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.cache import Schedule
from pycurrent.engine import Config, Level, Pool
from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.term import Current, Failed, Ok, Stats, Var, all
from pycurrent.testing import Harness

from ..repositories import Repo


async def test_a_command_runs_in_a_checkout_of_the_commit(
    commit: git.Commit, tmp_path: Path
) -> None:
    """It sees what was committed, and is told from others by its words."""

    def pipeline() -> Current[None]:
        return command.run(commit, ["grep", "-q", "one", "a.txt"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)
        job = h.find("grep -q one a.txt")
        assert job.description == f"grep -q one a.txt @{commit.hash[:10]}"
        assert "Exec: grep -q one a.txt\n" in h.log("grep")


async def test_a_new_commit_is_tested_and_an_old_one_is_known(repo: Repo, tmp_path: Path) -> None:
    """Only what was not run before is run: going back to a commit costs nothing."""
    local = git.Local(repo.path)

    def pipeline() -> Current[str]:
        return command.output(local.head_commit(), ["cat", "a.txt"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok("one")
        repo.commit("second", a_txt="two")
        await h.settle()
        assert h.output == Ok("two")
        repo.git("checkout", "--quiet", "--detach", "HEAD~")
        await h.settle()
        assert h.output == Ok("one")
        assert [build.outcome for build in h.history("command-output")] == ["one", "two"]


async def test_a_schedule_has_it_run_again(commit: git.Commit, tmp_path: Path) -> None:
    """For the same commit; so has that of a command that sets something."""
    daily = Schedule(valid_for=timedelta(days=1))

    def pipeline() -> Current[None]:
        tested = command.run(commit, ["true"], schedule=daily)
        return all([tested, command.set(commit, ["true"], key="here", schedule=daily)])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        h.engine.config.confirm = None
        await h.settle()
        await h.advance(timedelta(days=1))
        assert h.output == Ok(None)
        assert len(h.history("command-run")) == 2
        assert len(h.history("command-set")) == 2


async def test_a_stage_is_named_before_its_command_is_known(
    commit: git.Commit, tmp_path: Path
) -> None:
    """By the function; the box shows the command as soon as there is one."""
    words = Var("words", ["true"])

    def pipeline() -> Current[None]:
        return command.run(commit, words.get())

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)
        assert "run true" in h.dot()
        assert str(h.engine.why("run")).startswith("run: ok")


async def test_a_failure_names_the_command_and_its_status(
    commit: git.Commit, tmp_path: Path
) -> None:
    """In one line; what it printed is in the log."""

    def pipeline() -> Current[None]:
        return command.run(commit, ["sh", "-c", "echo oh no; exit 3"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Failed("sh -c 'echo oh no; exit 3' exited with status 3")
        assert "\noh no\n" in h.log("sh")


async def test_what_a_command_that_fails_has_printed_is_in_its_log(
    commit: git.Commit, tmp_path: Path
) -> None:
    """Also where it was run for its output."""

    def pipeline() -> Current[str]:
        return command.output(commit, ["sh", "-c", "echo 3 failed; exit 1"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert "\n3 failed\n" in h.log("output of")


async def test_what_a_command_prints_to_its_standard_output_is_the_value(
    commit: git.Commit, tmp_path: Path
) -> None:
    """Messages beside it go to the log."""

    def pipeline() -> Current[str]:
        return command.output(
            commit, ["sh", "-c", "echo $NAME; echo beside >&2"], env={"NAME": "x"}
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok("x\n")
        assert "\nbeside\n" in h.log("sh")


async def test_words_and_variables_may_be_currents(commit: git.Commit, tmp_path: Path) -> None:
    """A change of either runs the command again, and its label shows the words of now."""
    words = Var("words", ["printenv", "NAME"])
    variables = Var("variables", {"NAME": "x"})

    def pipeline() -> Current[str]:
        return command.output(commit, words.get(), env=variables.get())

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok("x\n")
        variables.set({"NAME": "y"})
        await h.settle()
        assert h.output == Ok("y\n")
        words.set(["echo", "{z}"])
        await h.settle()
        assert h.output == Ok("{z}\n")
        assert "echo '{z}'" in h.dot()


async def test_only_what_matters_to_the_result_is_in_the_key(repo: Repo, tmp_path: Path) -> None:
    """Not where the commit comes from, how long it may take, or at which level."""
    repo.git("clone", "--quiet", repo.path, tmp_path / "clone")
    here, there = git.Local(repo.path).check(), git.Local(tmp_path / "clone").check()
    assert here != there

    def pipeline() -> Current[None]:
        return all(
            [
                command.run(here, ["true"]),
                command.run(there, ["true"], timeout=60, level=Level.HARMLESS, label="other"),
            ]
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.stats == Stats(ok=2)
        assert len(h.history("command-run")) == 1


async def test_pool_level_and_timeout_hold(commit: git.Commit, tmp_path: Path) -> None:
    """One at a time, not before it is confirmed, and not for long."""
    pool = Pool("one", 1)

    def pipeline() -> Current[None]:
        return all(
            [
                command.run(commit, ["sleep", "1000"], timeout=timedelta(minutes=1), pool=pool),
                command.run(commit, ["echo", "next"], pool=pool),
                command.run(commit, ["echo", "deploy"], level=Level.DANGEROUS, pool=pool),
            ]
        )

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path / "state", config=config) as h:
        await h.until(lambda: h.jobs and "Exec: sleep" in h.log("sleep"))
        assert (h.stats.running, h.stats.ready, h.stats.waiting_for_confirmation) == (1, 1, 1)
        await h.advance(timedelta(minutes=1))
        assert h.stats == Stats(failed=1, ok=1, waiting_for_confirmation=1)
        assert "Timed out after 1 min" in h.log("sleep")


async def test_a_command_for_a_commit_that_is_not_wanted_any_more_is_cancelled(
    repo: Repo, tmp_path: Path
) -> None:
    """The machine is free for the new one at once."""
    local = git.Local(repo.path)
    (repo.path / "wait").write_text("sleep 1000")
    repo.commit("slow")

    def pipeline() -> Current[None]:
        return command.run(local.head_commit(), ["sh", "./wait"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: h.jobs and "Exec: sh" in h.log("sh"))
        (repo.path / "wait").write_text("true")
        repo.commit("fast")
        await h.settle()
        assert h.output == Ok(None)
        assert [build.ok for build in h.history("command-run")] == [True]


async def test_git_in_a_command_uses_the_checkout(
    commit: git.Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever repository the engine's own environment chooses."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "none"))

    def pipeline() -> Current[str]:
        words = ["sh", "-c", "git rev-parse HEAD; git status --porcelain"]
        return command.output(commit, words)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(commit.hash + "\n")


def test_a_command_is_a_list_of_words(commit: git.Commit) -> None:
    """One string would be taken for letters: it is refused where it is written."""
    wrong: list[str | list[str]] = ["make test", []]
    for words in wrong:
        with pytest.raises(UsageError, match="a list of its words"):
            command.run(commit, words)


async def test_labels_are_shown(commit: git.Commit, tmp_path: Path) -> None:
    """The command, or what is given; braces in either are only braces."""

    def pipeline() -> Current[None]:
        return all(
            [command.run(commit, ["echo", "{all}"]), command.run(commit, ["true"], label="{x}")]
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        labels = {node.label for node in h.graph().nodes}
        assert {"echo '{all}'", "{x}"} <= labels
