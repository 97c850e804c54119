"""`pycurrent.main`: the command line of a script, and the commands as processes."""

import re

from .commands import FROBS, Start, Write

SCRIPT = (
    FROBS
    + """
    if __name__ == "__main__":
        current.main(pipeline)
"""
)


def test_a_script_runs_its_pipeline(pipeline_file: Write, child: Start) -> None:
    """Its parameters are options, beside those of `run`."""
    pipeline_file(SCRIPT)
    ended = child("ci.py", "--once", "--keys", "x", "bad").end()
    assert ended.status == 1
    assert "ok       frob x" in ended.out
    assert "\nfailed: 1 failed, 1 ok (" in ended.out


def test_a_script_has_the_other_commands(pipeline_file: Write, child: Start) -> None:
    """`graph` with the pipeline's options; `history` and the others on what it has done."""
    pipeline_file(SCRIPT)
    assert 'label="frob x"' in child("ci.py", "graph", "--keys", "x").end().out
    ended = child("ci.py", "history").end()
    assert ended.status == 2
    assert ended.err.startswith("ci.py: no state directory at ")


def test_a_script_has_its_functions_called_in_other_processes(
    pipeline_file: Write, child: Start
) -> None:
    """With classes of its own; the module is called `__main__`, and is not run again there."""
    pipeline_file(
        """
        import os
        from dataclasses import dataclass
        import pycurrent as current

        @dataclass(frozen=True)
        class Point:
            x: int
            process: int = 0

        def moved(point: Point) -> Point:
            return Point(point.x + 1, os.getpid())

        @current.builder("move", level=current.Level.HARMLESS)
        async def move(job: current.Job, x: int) -> str:
            point = await job.call(moved, Point(x))
            return f"{point.x} elsewhere: {point.process != os.getpid()}"

        def pipeline(x: int) -> current.Current[None]:
            return move(x).map(print)

        if __name__ == "__main__":
            current.main(pipeline)
        """
    )
    for x, command in enumerate((["ci.py"], ["-m", "pycurrent", "run", "ci.py"])):
        ended = child(*command, "--once", "--x", str(x)).end()
        assert ended.status == 0, ended.out + ended.err
        assert f"{x + 1} elsewhere: True" in ended.out


def test_the_module_is_the_command(child: Start) -> None:
    """`python -m pycurrent --version`."""
    ended = child("-m", "pycurrent", "--version").end()
    assert ended.status == 0
    assert re.fullmatch(r"pycurrent \d+\.\d+\S*\n", ended.out)


def test_help_imports_nothing_but_what_it_shows(child: Start) -> None:
    """The commands are listed without being imported."""
    code = (
        "import sys, atexit; from pycurrent.cli.entry import run;"
        "heavy = ('asyncio', 'rich.live', 'pycurrent.term', 'pycurrent.engine', 'fastapi');"
        "atexit.register(lambda: print([m for m in heavy if m in sys.modules])); run(['--help'])"
    )
    ended = child("-c", code).end()
    for command in ("run", "graph", "history", "log", "gc"):
        assert f" {command} " in ended.out
    assert ended.out.splitlines()[-1] == "[]"


def test_a_pipeline_without_a_command_line_costs_none(child: Start) -> None:
    """`import pycurrent`, names included, imports neither the command line nor what that is built
    on.
    """
    code = (
        "import sys, pycurrent; from pycurrent import *;"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    assert not set(child("-c", code).end().out.split()) & {"cyclopts", "rich", "attr"}
