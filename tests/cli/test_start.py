"""The start of a run: each module takes time, so that it imports only what it needs."""

import sys

import pytest

from .commands import FROBS, Start, Write

SHOWS_MODULES = """
    import atexit, sys
    atexit.register(lambda: print(*sys.modules))
"""

WATCHES_FILES = """
    from pathlib import Path
    import pycurrent as current

    files = current.FileMonitor(read=lambda: 1, paths=lambda: [Path("ci.py")])

    def pipeline() -> current.Current[int]:
        return current.component("files", files.get)
"""

WITHOUT_COMMANDS = """
    import pycurrent as current

    @current.builder("twice", level=current.Level.HARMLESS)
    async def twice(job: current.Job, n: int) -> int:
        return 2 * n

    def pipeline() -> current.Current[int]:
        return twice(1)
"""

SHOWS_DATACLASSES = """
    import atexit, sys

    def show() -> None:
        for module in [m for name, m in sys.modules.items() if name.startswith("pycurrent")]:
            for value in vars(module).values():
                if "__dataclass_fields__" in getattr(value, "__dict__", ()):
                    if value.__module__ == module.__name__:
                        print("dataclass", value.__name__)
        print("looked")

    atexit.register(show)
"""

FACES = {
    "pycurrent.service",
    "pycurrent.web",
    "pycurrent.plugins",
    "pycurrent.cli.graph",
    "pycurrent.cli.live",
}
LIBRARIES = {"cyclopts", "rich", "fastapi", "pydantic", "uvicorn", "jinja2", "prometheus_client"}
RARE = {
    "pycurrent.engine.job_reports",
    "pycurrent.engine.needles",
    "pycurrent.engine.spellings",
    "html",
    "re2",
    "sysconfig",
}
"""A secret needs these, a log rule, a report, or an event loop that stands still."""
COMMANDS = {
    "pycurrent.engine.cache_folder",
    "pycurrent.engine.command",
    "pycurrent.engine.commands",
    "pycurrent.engine.process",
    "pycurrent.engine.secret",
    "pycurrent.engine.supervisor",
}
"""Jobs that run commands need these, and those with folders of their own."""
PEOPLE = {
    "pycurrent.cache.inputs",
    "pycurrent.cache.triggers",
    "pycurrent.cache.verify",
    "pycurrent.store.access",
}
"""What people set, start and ask for needs these, and who they are."""
ELSEWHERE = {"pycurrent.engine.monitor", "pycurrent.term.near_names", "difflib"}
"""Inputs from outside need these, and the mistakes of authors."""
JOBS = {
    "pycurrent.engine.driven_job",
    "pycurrent.engine.follow",
    "pycurrent.engine.job_run",
    "pycurrent.engine.job_start",
    "pycurrent.engine.logfile",
    "pycurrent.engine.pool",
}
"""Jobs that run need these."""
INPUTS = {
    "pycurrent.cache.schedule",
    "pycurrent.engine.pins",
    "pycurrent.engine.watching",
    "pycurrent.term.var",
}
"""What is looked at again needs these: schedules, monitors, variables."""
RECORDS = {
    "pycurrent.store.audit",
    "pycurrent.store.failure_tables",
    "pycurrent.store.failures",
    "pycurrent.store.history",
}
"""Those who look at what was need these, and jobs that fail."""
WATCHES = {"asyncinotify", "watchfiles", "ctypes"}


@pytest.mark.parametrize("unneeded", [FACES, LIBRARIES, RARE, PEOPLE, ELSEWHERE], ids=min)
def test_a_run_imports_only_what_it_needs(
    pipeline_file: Write, child: Start, monkeypatch: pytest.MonkeyPatch, unneeded: set[str]
) -> None:
    """A run that makes results imports no face that it has not, nor does one that knows them."""
    monkeypatch.delenv("PYCURRENT_PORT")  # an option, which the library would have to read
    pipeline_file(FROBS + SHOWS_MODULES)
    for _ in range(2):
        ended = child("-m", "pycurrent", "run", "--once", "ci.py").end()
        assert ended.status == 0
        modules = set(ended.out.splitlines()[-1].split())
        assert "pycurrent.engine" in modules
        assert modules & unneeded == set()


def test_jobs_without_commands_import_nothing_for_them(pipeline_file: Write, child: Start) -> None:
    """Whether they run or are known."""
    pipeline_file(WITHOUT_COMMANDS + SHOWS_MODULES)
    for _ in range(2):
        ended = child("-m", "pycurrent", "run", "--once", "ci.py").end()
        assert ended.status == 0
        assert set(ended.out.splitlines()[-1].split()) & COMMANDS == set()


@pytest.mark.parametrize("unneeded", [JOBS, INPUTS, RECORDS], ids=min)
def test_a_run_with_nothing_to_do_imports_nothing_for_work(
    pipeline_file: Write, child: Start, unneeded: set[str]
) -> None:
    """All that it needs to know is that all is known."""
    pipeline_file(WITHOUT_COMMANDS + SHOWS_MODULES)
    assert child("-m", "pycurrent", "run", "--once", "ci.py").end().status == 0
    ended = child("-m", "pycurrent", "run", "--once", "ci.py").end()
    assert ended.status == 0
    assert set(ended.out.splitlines()[-1].split()) & unneeded == set()


def test_imports_within_a_job_may_print(pipeline_file: Write, child: Start) -> None:
    """What they print goes to the log of the job, which nothing of its own holds up."""
    pipeline_file(
        WITHOUT_COMMANDS.replace("return 2 * n", "await job.exec(['true']); return 2 * n")
    )
    assert child("-v", "-m", "pycurrent", "run", "--once", "ci.py").end().status == 0


def test_a_run_that_ends_by_itself_imports_nothing_to_watch_files(
    pipeline_file: Write, child: Start
) -> None:
    """It looks at them once more, instead."""
    pipeline_file(WATCHES_FILES + SHOWS_MODULES)
    ended = child("-m", "pycurrent", "run", "--once", "ci.py").end()
    assert ended.status == 0
    assert set(ended.out.splitlines()[-1].split()) & WATCHES == set()


def test_a_run_ends_without_a_look_for_garbage(pipeline_file: Write, child: Start) -> None:
    """The collector has nothing to look through when the interpreter ends."""
    pipeline_file(
        FROBS + "\n    import atexit, gc; atexit.register(lambda: print(len(gc.get_objects())))"
    )
    ended = child("-m", "pycurrent", "run", "--once", "ci.py").end()
    assert int(ended.out.splitlines()[-1]) < 100


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="Python 3.12 begins with frozen objects: they stay so"
)
def test_the_names_are_imported_without_a_look_for_garbage(child: Start) -> None:
    """All that is made stays; afterwards the collector is as it was, with nothing to look at."""
    code = (
        "import gc, pycurrent; looks = []; gc.callbacks.append(lambda *_: looks.append(1));"
        " gc.{}(); pycurrent.Engine; print(looks, gc.isenabled(), gc.get_count()[0] < 100)"
    )
    assert child("-c", code.format("enable")).end().out == "[] True True\n"
    assert child("-c", code.format("disable")).end().out.startswith("[] False ")


def test_a_run_makes_no_dataclasses(pipeline_file: Write, child: Start) -> None:
    """Each takes 0.3 ms of the start: those of the core are structs."""
    pipeline_file(FROBS + SHOWS_DATACLASSES)
    *before, last = child("-m", "pycurrent", "run", "--once", "ci.py").end().out.splitlines()
    assert last == "looked"
    assert [line for line in before if line.startswith("dataclass ")] == []
