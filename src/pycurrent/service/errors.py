"""The errors of the service: jobs, rules and patterns that do not exist or are wrong."""

from __future__ import annotations

from pycurrent.errors import PycurrentError, UsageError


class NoSuchJob(PycurrentError):
    """There is neither a record nor a log of the job."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"job {job_id!r} does not exist, or not any more: a lookup leaves none if it finds"
            " nothing new"
        )
        self.job_id = job_id


class NoSuchFile(PycurrentError):
    """A job has saved nothing of this name, or nothing at this path."""


class FilesRemoved(PycurrentError):
    """The files of a job were removed, as a rule of retention says, while its record stays."""

    def __init__(self, job_id: str, removed: str) -> None:
        super().__init__(f"job {job_id} has no files any more: {removed}")


class NoSuchRule(PycurrentError):
    """No log rule has the pattern."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"no log rule has the pattern {pattern!r}")


class BadPattern(UsageError):
    """A search has a pattern that is not a regular expression."""
