"""The contract of the taker of reports that jobs' tools write of their tests."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import TestCounts
from pycurrent.term import shown

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob


class TestReports(Protocol):
    """Reads reports, and records the tests in them."""

    async def take(
        self,
        job: DrivenJob,
        folder: str | PathLike[str],
        patterns: str | Sequence[str],
        *,
        required: bool,
        failing: BaseException | None,
    ) -> TestCounts:
        """Take the reports of a job, as `Job.report` says; `failing` is the exception with which
        its work fails, if it does.
        """


def checked_patterns(patterns: Any, where: str) -> tuple[str, ...]:
    """The patterns that an author gives, one or several. Raises `UsageError` for what can't be."""
    given = (patterns,) if isinstance(patterns, str) else patterns
    if not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
        raise WrongKind(
            f'{where} takes a pattern such as "**/*.xml", or a list of them, not {shown(patterns)}'
        )
    if not given:
        raise UsageError(f'{where} has no pattern: write "**/*.xml", say')
    for one in given:
        parts = Path(one).parts
        if not parts or Path(one).is_absolute() or ".." in parts or "\0" in one:
            raise UsageError(
                f'{where} has patterns below the folder, and {one!r} is not: write "**/*.xml", say'
            )
        if any("**" in part and part != "**" for part in parts):
            raise UsageError(f"{where}: in {one!r}, ** has to stand alone between slashes")
    return tuple(given)
