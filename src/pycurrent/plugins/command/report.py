"""The reports that a command writes: the option `report` of `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from pycurrent.engine import Job
from pycurrent.errors import UsageError, WrongKind
from pycurrent.files.patterns import checked_patterns
from pycurrent.plugins.command.runner import Prepared
from pycurrent.term import shown

_KINDS = ("junit", "coverage", "sarif")


@dataclass(frozen=True, slots=True)
class Report:
    """The reports that a command writes, each kind as a pattern of their paths in the folder where
    it runs, such as `"build/**/*.xml"`, or several: `junit` are those of its tests, in JUnit's XML,
    `coverage` those of the source that these run, in Cobertura's XML or in the form of lcov,
    `sarif` what tools that look through code have found, in SARIF.

    If they are `required`, a command that succeeds and leaves none of a kind fails.
    """

    junit: str | Sequence[str] | None = None
    _: KW_ONLY
    coverage: str | Sequence[str] | None = None
    sarif: str | Sequence[str] | None = None
    required: bool = False


def _patterns(report: Report) -> dict[str, tuple[str, ...]]:
    """The patterns of each kind. Raises `UsageError` for what can't be any."""
    given = {kind: getattr(report, kind) for kind in _KINDS}
    return {
        kind: checked_patterns(patterns, f"report={'' if kind == 'junit' else f' {kind}='}")
        for kind, patterns in given.items()
        if patterns is not None
    }


def report_json(report: Report) -> dict[str, object]:
    """The form in keys: which reports are taken decides on the result."""
    kinds = {kind: list(patterns) for kind, patterns in _patterns(report).items()}
    return {**kinds, **({"required": True} if report.required else {})}


def report_of_json(data: Any) -> Report:
    """Read that form."""
    kinds = {kind: tuple(data[kind]) for kind in _KINDS if kind in data}
    return Report(**kinds, required=data.get("required", False))


def report_of(given: Any) -> Report | None:
    """The reports that an author means. Raises `UsageError` for what can't be any."""
    if given is None:
        return None
    if isinstance(given, str) and given.endswith(".sarif"):
        raise UsageError(f"report= takes a pattern of JUnit's XML: write Report(sarif={given!r})")
    report = Report((given,)) if isinstance(given, str) else given
    if not isinstance(report, Report):
        raise WrongKind(
            f'report= takes a pattern or a Report, not {shown(given)}: write "**/*.xml"'
        )
    patterns = _patterns(report)
    if not patterns:
        raise UsageError('report= has no pattern: write Report("**/*.xml"), say')
    return replace(report, **patterns)  # type: ignore[arg-type]


async def execute(job: Job, command: Prepared, report: Report | None) -> None:
    """Run a command, and take its reports, whether or not it fails."""
    if report is None:
        await job.exec(command.argv, **command.options)
        return
    folder = command.options["cwd"]
    assert folder is not None
    try:
        await job.exec(command.argv, **command.options)
    finally:
        await job.report(folder, **_patterns(report), required=report.required)
