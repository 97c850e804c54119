"""Annotations of jobs: what is recorded of reports in SARIF, and shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pycurrent as current
from pycurrent import Failed, Job, Level, Ok
from pycurrent.service import Records
from pycurrent.store import Annotation, AnnotationCounts
from pycurrent.store.annotations import MOST
from pycurrent.testing import Harness, HarnessFactory

SAMPLES = Path(__file__).parent / "samples"


def sarif(*levels: str, text: str = "bad") -> str:
    results = [
        {"message": {"text": f"{text} {n}"}, "level": level} for n, level in enumerate(levels)
    ]
    run = {"tool": {"driver": {"name": "lint"}}, "results": results}
    return json.dumps({"version": "2.1.0", "runs": [run]})


def linting(
    content: str | None, *, script: str = "true", required: bool = False
) -> Callable[[], current.Current[str]]:
    """A pipeline of one job: a command that may fail, with a report in SARIF."""

    @current.builder("lint", level=Level.HARMLESS)
    async def lint(job: Job, key: str) -> str:
        job.secret("hunter2")
        async with job.tempdir() as folder:
            if content is not None:
                (folder / "lint.sarif").write_text(content)
            try:
                await job.exec(["sh", "-c", script], cwd=folder)
            finally:
                found = await job.report(folder, sarif="*.sarif", required=required)
            return str(found.annotations)

    return lambda: lint("all")


def recorded(h: Harness) -> list[Annotation]:
    return h.engine.opened.store.annotations.of_job(h.find("lint").id)


async def test_results_are_recorded(harness: HarnessFactory) -> None:
    """The worst first; they don't fail the job, whose command has judged them."""
    async with harness(linting((SAMPLES / "bandit.sarif").read_text())) as h:
        await h.settle()
        assert h.output == Ok("1 error, 1 warning, 2 notices")
        found = recorded(h)
        assert [one.title for one in found] == ["B602", "B307", "B404", "B101"]
        said = h.log("lint")
        assert "SARIF: 1 error, 1 warning, 2 notices (lint.sarif)" in said
        assert "  error: src/shop.py:7: subprocess call with shell=True identified" in said
        with Records.open(h.engine.opened.state.path) as records:
            explained = records.explain(h.find("lint").id)
        assert explained is not None
        assert explained.annotations.counts == AnnotationCounts(1, 1, 2)
        assert "\nannotations: 1 error, 1 warning, 2 notices\n  error: src/" in str(explained)


async def test_a_failure_stays_that_of_the_command(harness: HarnessFactory) -> None:
    """The results are recorded all the same."""
    async with harness(linting(sarif("error"), script="exit 7")) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "exited with status 7" in h.output.message
        assert len(recorded(h)) == 1


async def test_a_report_that_can_not_be_read(harness: HarnessFactory) -> None:
    """It fails the job, with the name of the file."""
    async with harness(linting("{")) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("the report lint.sarif can't be read: it is not SARIF")


async def test_no_report(harness: HarnessFactory) -> None:
    """The log says so, and it is a failure if one is required."""
    async with harness(linting(None)) as h:
        await h.settle()
        assert h.output == Ok("none")
        assert "No report in SARIF matches *.sarif" in h.log("lint")


async def test_a_required_report_that_is_missing(harness: HarnessFactory) -> None:
    """The failure has the pattern."""
    async with harness(linting(None, required=True)) as h:
        await h.settle()
        assert h.output == Failed("no report in SARIF matches *.sarif")


async def test_a_job_has_only_so_many(harness: HarnessFactory) -> None:
    """Notices make room for errors."""
    async with harness(linting(sarif(*["note"] * 1500, *["error"] * 3))) as h:
        await h.settle()
        assert h.output == Ok("3 errors, 1,500 notices")
        levels = [one.level.value for one in recorded(h)]
        assert levels == ["error"] * 3 + ["notice"] * (MOST - 3)
        assert f"Note: {503} are not recorded: a job has 1,000 at most" in h.log("lint")


async def test_secrets_are_masked(harness: HarnessFactory) -> None:
    """As in the log."""
    async with harness(linting(sarif("error", text="it is hunter2"))) as h:
        await h.settle()
        assert [one.message for one in recorded(h)] == ["it is **** 0"]


async def test_failed_tests_annotate_their_lines(tmp_path: Path) -> None:
    """By the attributes of the report, or by the end of a traceback of pytest's."""
    from pycurrent.engine.job_details import DetailsReader

    report = """<testsuite>
    <testcase name="a" file="src/a.c" line="7"><failure message="no"/></testcase>
    <testcase name="b" file="/outside.c" line="7"><failure message="no"/></testcase>
    <testcase name="c"><failure message="boom">def c():
&gt;   assert 1 == 2
E   assert 1 == 2

lib/x.py:3: in c
tests/test_c.py:12: AssertionError</failure></testcase>
    <testcase name="d" file="d.c"/></testsuite>"""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> None:
        async with job.tempdir() as folder:
            (folder / "a.xml").write_text(report)
            await job.report(folder, junit="a.xml")

    async with Harness(lambda: check("all"), state_dir=tmp_path) as h:
        await h.settle()
        details = await h.engine.service(DetailsReader).of(h.find("check").id)
    assert details is not None
    assert [(one.place, one.message, one.title) for one in details.annotations] == [
        ("src/a.c:7", "no", "a"),
        ("tests/test_c.py:12", "boom", "c"),
    ]
    assert details.tests[:2] == ("tests: 1 passed, 3 failed", "  failed: a: no")
