"""Annotations that log rules find."""

from __future__ import annotations

from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Job, Level, LogRule
from pycurrent.engine.job_details import DetailsReader, JobDetails
from pycurrent.explain.paths import repository_path
from pycurrent.service import Records
from pycurrent.store import Annotation
from pycurrent.testing import Harness


async def found(tmp_path: Path, log: str, *rules: LogRule) -> JobDetails:
    """The details of a job that has failed with this log."""

    @current.builder("work", level=Level.HARMLESS)
    async def work(job: Job, key: str) -> None:
        job.write(log.encode())
        raise current.Failure("no")

    async with Harness(lambda: work("a"), state_dir=tmp_path) as h:
        for rule in rules:
            h.engine.log_rules.add(rule)
        await h.settle()
        details = await h.engine.service(DetailsReader).of(h.find("work").id)
        assert await h.engine.service(DetailsReader).of("no/such") is None
    assert details is not None
    return details


async def test_rules_with_a_file_and_a_line_annotate(tmp_path: Path) -> None:
    """Each place once, with the rule's report where the pattern has no message; other rules, and
    numbers that are none, give nothing.
    """
    log = "at ./a.py, line 3\nat a.py, line 3\nb.c:7:2: bad thing\nat a.py, line 0\n"
    details = await found(
        tmp_path,
        log,
        LogRule(r"at (?P<file>\S+), line (?P<line>\d+)", r"see \1", 2),
        LogRule(r"^(?P<file>\w+\.c):(?P<line>\d+):(?P<column>\d+): (?P<message>.+)$", "", 1),
        LogRule(r"bad", "bad", 3),
    )
    assert details.annotations == (
        Annotation("a.py", 3, "see ./a.py"),
        Annotation("a.py", 3, "see a.py"),
        Annotation("b.c", 7, "bad thing", column=2),
    )
    assert any("has not been built yet" in line for line in details.cause)


async def test_matches_in_all_of_a_long_log_are_found_once(tmp_path: Path) -> None:
    """It is read in windows, which overlap."""
    lines = [f"a.c:{number}: x{'x' * 5000}" for number in range(1, 450)]
    rule = LogRule(r"^(?P<file>a\.c):(?P<line>\d+):", "it", 1)
    details = await found(tmp_path, "\n".join(lines), rule)
    assert [one.line for one in details.annotations] == [*range(1, 450)]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("src/./a.c", "src/a.c"),
        ("src/../b.c", "b.c"),
        ("../b.c", None),
        ("a/../../b.c", None),
        ("/etc/passwd", None),
        (".", None),
        ("", None),
        ("a\x00b", None),
    ],
)
def test_paths_are_within_the_repository(text: str, path: str | None) -> None:
    """Those that lead out are left out."""
    assert repository_path(text) == path


async def test_markers_in_the_log_annotate(tmp_path: Path) -> None:
    """Of a job that has failed, and in what explains it; those of rules come behind them."""
    log = "::warning file=a.py,line=3::odd\n::error file=b.py::bad\nc.c:7: no\n::error::loose\n"
    rule = LogRule(r"^(?P<file>c\.c):(?P<line>\d+): (?P<message>.+)$", "", 1)
    details = await found(tmp_path, log, rule)
    assert [(one.place, one.message) for one in details.annotations] == [
        ("b.py", "bad"),
        ("", "loose"),
        ("a.py:3", "odd"),
        ("c.c:7", "no"),
    ]
    with Records.open(tmp_path) as records:
        explained = records.explain(details.job)
    assert explained is not None
    assert "\nannotations: 2 errors, 1 warning\n  error: b.py: bad\n" in str(explained)
