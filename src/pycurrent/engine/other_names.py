"""Telling an author who looks for something of a job by another system's name.

The failure is told, and not the attribute error as it is raised: a `__getattr__` of jobs could do
that, but Python would read all that they have four times as slowly, a thirtieth of a build.
"""

from __future__ import annotations

from types import MappingProxyType

from pycurrent.engine.job import Job

_OTHER_NAMES = MappingProxyType(
    {
        **dict.fromkeys(("run", "sh", "shell", "system", "command"), "exec"),
        **dict.fromkeys(("info", "print", "warning", "error", "debug"), "log"),
        **dict.fromkeys(("output", "capture"), "check_output"),
        **dict.fromkeys(("tmpdir", "tmp", "temp_dir", "workspace"), "tempdir"),
        **dict.fromkeys(("mask", "add_mask"), "secret"),
        **dict.fromkeys(("junit", "publish_tests", "test_report"), "report"),
    }
)
"""Names that other systems have for some of a job's."""


def name_members(error: BaseException) -> None:
    """Have an exception of a job's work say what to write instead, and so each one of a group, if
    it is that a job has no such member. Twice is fine.
    """
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            name_members(each)
    elif isinstance(error, AttributeError) and error.name and isinstance(error.obj, Job):
        use = _OTHER_NAMES.get(error.name, "")
        hint = f"write job.{use}, and " if use else ""
        error.args = (f"a job has no {error.name!r}: {hint}see help(pycurrent.Job)",)
