"""Commands that leave reports of their tests."""

from pathlib import Path

import pytest

from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.term import Current, Failed, Ok
from pycurrent.testing import Harness

SUITE = '<testsuite><testcase name="adds"/>{}</testsuite>'
GOOD = SUITE.format("")
BAD = SUITE.format('<testcase name="price"><failure message="3 is not 4"/></testcase>')


def writing(report: str, then: str = "true") -> list[str]:
    return ["sh", "-c", f"mkdir -p build && echo '{report}' > build/a.xml; {then}"]


@pytest.mark.parametrize(
    ("argv", "report", "failure"),
    [
        (writing(GOOD), "build/*.xml", None),
        (writing(BAD, "exit 1"), "**/*.xml", "1 of 2 tests failed: price: 3 is not 4"),
        (writing(BAD), "build/a.xml", "1 of 2 tests failed: price: 3 is not 4"),
        (["true"], "*.xml", None),
        (["true"], command.Report("*.xml", required=True), "no report of tests matches *.xml"),
        (["false"], command.Report("*.xml", required=True), "false exited with status 1"),
    ],
)
async def test_a_report_is_taken(
    commit: git.Commit,
    tmp_path: Path,
    argv: list[str],
    report: command.Report | str,
    failure: str | None,
) -> None:
    """Whether or not the command fails, whose failure then names the first failed test."""

    def pipeline() -> Current[None]:
        return command.run(commit, argv, report=report)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        if failure is None:
            assert h.output == Ok(None)
        else:
            assert isinstance(h.output, Failed)
            assert failure in h.output.message
        assert bool(h.engine.tests.reports()) is (len(argv) > 1)


async def test_a_command_that_gets_a_report_runs_again(commit: git.Commit, tmp_path: Path) -> None:
    """Its tests decide on the result, so what is known without them is another one."""
    state = tmp_path / "state"
    async with Harness(lambda: command.run(commit, ["true"]), state_dir=state) as h:
        await h.settle()
    reported = command.Report("*.xml", required=True)
    async with Harness(
        lambda: command.run(commit, ["true"], report=reported), state_dir=state
    ) as h:
        await h.settle()
        assert h.output == Failed("no report of tests matches *.xml")
        assert len(h.history()) == 2


async def test_a_report_in_sarif_is_taken(commit: git.Commit, tmp_path: Path) -> None:
    """Beside one of tests, if there is one; its findings are annotations of the job."""
    run = '{"tool": {"driver": {"name": "x"}}, "results": [{"message": {"text": "bad"}}]}'
    log = f'{{"version": "2.1.0", "runs": [{run}]}}'
    argv = ["sh", "-c", f"echo '{GOOD}' > a.xml; echo '{log}' > a.sarif"]
    reported = command.Report("a.xml", sarif="*.sarif", required=True)
    async with Harness(
        lambda: command.run(commit, argv, report=reported), state_dir=tmp_path / "state"
    ) as h:
        await h.settle()
        assert h.output == Ok(None)
        (entry,) = h.history()
        found = h.engine.opened.store.annotations.of_job(entry.job_id)
        assert [one.message for one in found] == ["bad"]
        assert len(h.engine.tests.reports()) == 1


def test_sarif_is_not_taken_for_tests(commit: git.Commit) -> None:
    """The message says what to write."""
    with pytest.raises(UsageError, match=r"write Report\(sarif='lint.sarif'\)"):
        command.run(commit, ["true"], report="lint.sarif")


@pytest.mark.parametrize("wrong", [3, ["a.xml"]])
def test_what_can_not_be_a_report_is_refused(commit: git.Commit, wrong: object) -> None:
    """Where it is written."""
    with pytest.raises(UsageError, match="report= takes a pattern or a Report"):
        command.run(commit, ["true"], report=wrong)  # type: ignore[call-overload]


def test_a_report_of_nothing_is_refused(commit: git.Commit) -> None:
    """It would be a slip."""
    with pytest.raises(UsageError, match="report= has no pattern"):
        command.run(commit, ["true"], report=command.Report())


@pytest.mark.parametrize("wrong", ["/a.xml", "../a.xml", ""])
def test_patterns_are_checked_where_they_are_written(commit: git.Commit, wrong: str) -> None:
    """Not by the job, hours later."""
    with pytest.raises(UsageError, match=r"report=: .* is not a pattern of files within"):
        command.run(commit, ["true"], report=wrong)
