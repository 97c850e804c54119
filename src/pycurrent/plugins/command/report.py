"""The reports that a command writes of its tests: the option `report` of `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pycurrent.engine import Job
from pycurrent.errors import WrongKind
from pycurrent.files.patterns import checked_patterns
from pycurrent.plugins.command.runner import Prepared
from pycurrent.term import shown


@dataclass(frozen=True, slots=True)
class Report:
    """The reports that a command writes of its tests, in JUnit's XML: a pattern of their paths in
    the folder where it runs, such as `"build/**/*.xml"`, or several.

    If they are `required`, a command that succeeds and leaves none fails.
    """

    junit: str | Sequence[str]
    required: bool = False


def report_json(report: Report) -> dict[str, object]:
    """The form in keys: which reports are taken decides on the result."""
    junit = [report.junit] if isinstance(report.junit, str) else list(report.junit)
    return {"junit": junit, **({"required": True} if report.required else {})}


def report_of_json(data: Any) -> Report:
    """Read that form."""
    return Report(tuple(data["junit"]), data.get("required", False))


def report_of(given: Any) -> Report | None:
    """The reports that an author means. Raises `UsageError` for what can't be any."""
    if given is None:
        return None
    report = Report((given,)) if isinstance(given, str) else given
    if not isinstance(report, Report):
        raise WrongKind(
            f'report= takes a pattern or a Report, not {shown(given)}: write "**/*.xml"'
        )
    return replace(report, junit=checked_patterns(report.junit, "report="))


async def execute(job: Job, command: Prepared, report: Report | None) -> None:
    """Run a command, and take its report, whether or not it fails."""
    if report is None:
        await job.exec(command.argv, **command.options)
        return
    folder = command.options["cwd"]
    assert folder is not None
    try:
        await job.exec(command.argv, **command.options)
    finally:
        await job.report(folder, junit=report.junit, required=report.required)
