"""Reports of jobs: what is recorded, what the job's failure says, and what is refused."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Failed, Job, Level, Ok, Schedule
from pycurrent.store import TestCounts
from pycurrent.testing import Harness, HarnessFactory

SAMPLES = Path(__file__).parent / "samples"
FEW = '<testsuite><testcase name="a"/><testcase name="b" time="0.5"/></testsuite>'
BAD = FEW.replace(' time="0.5"/>', '><failure message="no"/></testcase>')


def checking(
    content: str | None = None,
    *,
    script: str = "true",
    junit: str | list[str] = "**/*.xml",
    required: bool = False,
) -> Callable[[], current.Current[str]]:
    """A pipeline of one job: a command that may fail, with a report of its tests."""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> str:
        async with job.tempdir() as folder:
            if content is not None:
                (folder / "sub").mkdir()
                (folder / "sub" / "report.xml").write_text(content)
            try:
                await job.exec(["sh", "-c", script], cwd=folder)
            finally:
                reported = await job.report(folder, junit=junit, required=required)
            return str(reported.tests)

    return lambda: check("all")


async def log_of(harness: HarnessFactory, pipeline: Callable[[], current.Current[str]]) -> str:
    """The log of the one job, and its outcome behind it."""
    async with harness(pipeline) as h:
        await h.settle()
        return f"{h.log('check')}{h.output}"


def of(h: Harness) -> tuple[str, TestCounts | None]:
    """The job, and the counts of its tests."""
    job_id = h.find("check all").id
    return job_id, h.engine.tests.counts(job_id)


async def test_tests_are_recorded(harness: HarnessFactory) -> None:
    """With their times, in the order of the report; the job gets the counts."""
    async with harness(checking(FEW)) as h:
        await h.settle()
        assert h.output == Ok("2 passed")
        assert "Tests: 2 passed (sub/report.xml)" in h.log("check")
        job_id, counts = of(h)
        assert counts == TestCounts(passed=2, took=0.5)
        found = h.engine.tests.of_job(job_id)
        assert [(case.name, case.took) for case in found] == [("a", None), ("b", 0.5)]


async def test_a_failure_names_the_first_failed_test(harness: HarnessFactory) -> None:
    """In place of the status of the command, which the log has as well."""
    content = (SAMPLES / "pytest.xml").read_text()
    async with harness(checking(content, script="exit 1")) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("4 of 10 tests failed: test_price: AssertionError: the")
        assert "  error: test_shop: test_store: failed on setup" in h.log("check")
        job_id, _ = of(h)
        assert len(h.engine.tests.of_job(job_id, failed=True)) == 4


async def test_failed_tests_fail_a_job_whose_command_did_not(harness: HarnessFactory) -> None:
    """As with tools that were told to go on."""
    async with harness(checking(BAD)) as h:
        await h.settle()
        assert h.output == Failed("1 of 2 tests failed: b: no")


async def test_nothing_found_is_said(harness: HarnessFactory) -> None:
    """And fails the job only if a report is required, and nothing else has failed."""
    said = await log_of(harness, checking())
    assert "No report of tests matches **/*.xml" in said
    assert said.endswith("Ok(value='no tests')")


async def test_a_required_report_that_is_missing(harness: HarnessFactory) -> None:
    """The failure has the pattern."""
    said = await log_of(harness, checking(junit=["a.xml", "b.xml"], required=True))
    assert "no report of tests matches a.xml, b.xml" in said.splitlines()[-1]


async def test_a_command_that_fails_before_its_report_tells(harness: HarnessFactory) -> None:
    """That there is none only follows from it."""
    said = await log_of(harness, checking(script="exit 3", required=True))
    assert "exit 3" in said.splitlines()[-1]
    assert "No report of tests matches" in said


async def test_a_report_that_breaks_off(harness: HarnessFactory) -> None:
    """The tests before are recorded, and the failure names the file."""
    async with harness(checking("<testsuite><testcase name='a'/><testca")) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message == (
            "the report sub/report.xml can't be read: it breaks off at line 1, column 32, after 1"
            " whole tests"
        )
        assert of(h)[1] == TestCounts(passed=1)


async def test_other_xml_is_left_out(harness: HarnessFactory) -> None:
    """It is no failure, unless it is all there is where a report is required."""
    said = await log_of(harness, checking("<project/>", required=True))
    assert "Left out: sub/report.xml: it is not a report of tests, but <project>" in said
    assert "no report of tests matches" in said.splitlines()[-1]


async def test_links_that_lead_out_are_not_followed(
    harness: HarnessFactory, tmp_path: Path
) -> None:
    """What a command leaves is not to have other files read."""
    outside = tmp_path / "outside.xml"
    outside.write_text(FEW)
    said = await log_of(harness, checking(script=f"ln -s {outside} report.xml"))
    assert "No report of tests matches" in said


@pytest.mark.parametrize("pattern", ["/etc/*.xml", "../*.xml", "", "a//b"])
async def test_patterns_stay_below_the_folder(harness: HarnessFactory, pattern: str) -> None:
    """Others are a mistake of the author."""
    async with harness(checking(junit=pattern)) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "job.report: junit=" in h.output.message


async def test_secrets_are_masked(harness: HarnessFactory) -> None:
    """In what tests say, and in their names, which have parameters."""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> None:
        job.secret("hunter22hunter22")
        async with job.tempdir() as folder:
            (folder / "a.xml").write_text(
                '<testsuite><testcase name="t[hunter22hunter22]"><skipped message="x'
                'hunter22hunter22"/></testcase></testsuite>'
            )
            await job.report(folder, junit="a.xml")

    async with harness(lambda: check("all")) as h:
        await h.settle()
        (case,) = h.engine.tests.of_job(of(h)[0])
        assert (case.name, case.message) == ("t[****]", "x****")


async def test_several_reports_of_one_job(harness: HarnessFactory) -> None:
    """They follow each other."""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> None:
        async with job.tempdir() as folder:
            for name in ("a", "b"):
                (folder / f"{name}.xml").write_text(FEW)
                await job.report(folder, junit=f"{name}.xml")

    async with harness(lambda: check("all")) as h:
        await h.settle()
        job_id, counts = of(h)
        assert counts == TestCounts(passed=4, took=1.0)
        assert [case.name for case in h.engine.tests.of_job(job_id)] == ["a", "b", "a", "b"]


async def test_a_lookup_that_reports_leaves_a_record(harness: HarnessFactory) -> None:
    """Although its value is the one of before."""

    class Check(current.Builder[str, str]):
        id = "check"

        async def build(self, job: Job, key: str) -> str:
            await job.start(level=Level.HARMLESS)
            async with job.tempdir() as folder:
                (folder / "a.xml").write_text(FEW)
                await job.report(folder, junit="a.xml")
            return "same"

    daily = Schedule(valid_for=timedelta(days=1))
    check = current.component("check", lambda: Check().get("all", schedule=daily))
    async with harness(lambda: check) as h:
        await h.settle()
        await h.advance(timedelta(days=1, seconds=1))
        assert len(h.engine.tests.reports()) == 2
        assert h.output == Ok("same")


async def test_a_job_that_is_cancelled_takes_no_report(harness: HarnessFactory) -> None:
    """One whose time is up does: its tool may have written some of it."""

    @current.builder("slow", level=Level.HARMLESS, timeout=1)
    async def slow(job: Job, key: str) -> None:
        async with job.tempdir() as folder:
            shutil.copy(SAMPLES / "bats.xml", folder)
            try:
                if key == "cancel":
                    job.cancel("enough")
                await asyncio.Event().wait()
            finally:
                await job.report(folder, junit="*.xml")

    async with harness(lambda: current.all([slow("cancel"), slow("wait")])) as h:
        await h.settle()
        await h.advance(timedelta(seconds=2))
        assert h.find("slow cancel").outcome == Failed("Cancelled: enough")
        assert h.find("slow wait").outcome == Failed("Timed out after 1 s")
        assert [report.key for report in h.engine.tests.reports()] == ["wait"]


async def test_a_report_before_the_start_is_refused(harness: HarnessFactory) -> None:
    """There may be no record of the job yet."""

    class Early(current.Builder[str, str]):
        id = "check"

        async def build(self, job: Job, key: str) -> str:
            return str((await job.report(Path(), junit="*.xml")).tests)

    async with harness(lambda: current.component("x", lambda: Early().get("a"))) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "job.report was called before job.start" in h.output.message


async def test_a_report_of_nothing_is_refused(harness: HarnessFactory) -> None:
    """It says which kinds there are."""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> None:
        await job.report(Path())

    async with harness(lambda: check("all")) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("job.report has nothing to take: give junit")


async def test_what_is_recorded_is_there_after_a_restart(tmp_path: Path) -> None:
    """The next engine finds it, as does one that only reads."""
    async with Harness(checking(BAD), state_dir=tmp_path / "state") as h:
        await h.settle()
        job_id, _ = of(h)
    async with Harness(checking(BAD), state_dir=tmp_path / "state") as h:
        await h.settle()
        assert [case.name for case in h.engine.tests.of_job(job_id, failed=True)] == ["b"]
        assert h.engine.tests.failed()[0].message == "no"
