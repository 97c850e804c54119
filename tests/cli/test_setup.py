"""`setup`, which an author gives to `main`, or which is in the file."""

import sqlite3
from contextlib import closing

import pytest

from .commands import FROBS, Command, Start, Write

SETUP = """
    from pycurrent import Engine, LogRule

    async def setup(engine: Engine) -> None:
        print("steps before setup:", engine.steps)
        engine.log_rules.add(LogRule("frobbing", "it frobbed", 1))
"""
MAIN = """
    if __name__ == "__main__":
        current.main(pipeline, setup=setup)
"""


@pytest.mark.parametrize("arguments", [["-m", "pycurrent", "run", "ci.py"], ["ci.py"]])
def test_it_is_called_before_the_first_step(
    arguments: list[str], pipeline_file: Write, child: Start
) -> None:
    """Once in each run; rules that are there already stay one."""
    pipeline_file(FROBS + SETUP + MAIN)
    for _ in range(2):
        ended = child(*arguments, "--once").end()
        assert ended.status == 0, ended.err
        assert ended.out.count("steps before setup: 0") == 1
    with closing(sqlite3.connect(".pycurrent/db/pycurrent.db")) as database:
        assert database.execute("SELECT pattern FROM log_rule").fetchall() == [("frobbing",)]


def test_another_function_of_that_name_is_none(pipeline_file: Write, pycurrent: Command) -> None:
    """Only an async one that takes an Engine is meant."""
    pipeline_file(FROBS + "\n    def setup(engine):\n        raise ValueError\n")
    assert pycurrent("run", "ci.py", "--once").status == 0


def test_its_error_ends_the_start(pipeline_file: Write, child: Start) -> None:
    """With the author's line; no job has run."""
    pipeline_file(
        FROBS
        + """
    async def setup(engine):
        raise ValueError("no server")
    """
        + MAIN
    )
    ended = child("ci.py", "--once").end()
    assert ended.status == 2
    assert "ci.py:" in ended.err
    assert "ValueError: no server" in ended.err
    assert "frob" not in ended.out


def test_its_misuse_of_ours_names_the_line(pipeline_file: Write, child: Start) -> None:
    """As anywhere else in the file."""
    pipeline_file(
        FROBS
        + """
    async def setup(engine):
        engine.log_rules.add(current.LogRule("(", "x", 1))
    """
        + MAIN
    )
    ended = child("ci.py", "--once").end()
    assert ended.status == 2
    assert "log rule '('" in ended.err
    assert "(ci.py:" in ended.err
