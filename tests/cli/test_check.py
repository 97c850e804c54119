"""`pycurrent check`: the mistakes that show without running anything."""

import pytest

from .commands import FROBS, Command, Write

HEAD = """
from dataclasses import dataclass
import pycurrent as current
from pycurrent import Current, Job, Level, builder, component

@builder("frob", level=Level.HARMLESS)
async def frob(job: Job, key: str) -> str:
    raise AssertionError("nothing is run")
"""


def test_a_pipeline_without_mistakes(pipeline_file: Write, pycurrent: Command) -> None:
    """It says so; failures, and what is not known before a run, are not mistakes."""
    pipeline_file(FROBS)
    ended = pycurrent("check", "ci.py", "--keys", "a", "bad")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "ci.py: nothing is wrong, as far as is seen without running it\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def pipeline() -> Current[None]:\n    frob('unused')\n    return frob('a').ignore()\n",
            ["built but not used, so never run: 'frob unused'; "],
        ),
        (
            "def pipeline() -> Current[None]:\n    return current.all([frob(3)])\n",
            ["frob (ci.py:6): key= takes str, not 3 (ci.py:10)"],
        ),
        (
            "def pipeline() -> Current[None]:\n"
            "    return frob(current.constant('x').map(len)).ignore()\n",
            ["frob: frob (ci.py:6): key= takes str, not 1"],
        ),
        (
            "def pipeline() -> Current[None]:\n    return 1 / 0\n",
            ["ci.py:", "ZeroDivisionError: division by zero"],
        ),
        (
            "@builder('frob', level=Level.HARMLESS)\n"
            "async def other(job: Job, key: str) -> str: ...\n"
            "def pipeline() -> Current[None]:\n"
            "    return current.all([frob('a'), other('a')])\n",
            ["two operations have the id 'frob': "],
        ),
        (
            "def pipeline() -> Current[None]:\n    return current.all([frob('a'), frob('a')])\n",
            ["frob a#2: another stage differs from it only by the order of building", "name="],
        ),
        (
            "@builder('odd', level=Level.HARMLESS)\n"
            "async def odd(job: Job, key: object) -> str: ...\n"
            "def pipeline() -> Current[None]:\n"
            "    return odd(object()).ignore()\n",
            ["odd", "object"],
        ),
        (
            "SLOW = current.Pool('slow', 0)\n",
            ["pool 'slow' must have a capacity of 1 or more, not 0 (ci.py:9)"],
        ),
        ("import nothing_of_this_name\n", ["ci.py", "nothing_of_this_name"]),
        ("", ["no pipeline in ci.py: name a function `pipeline`"]),
    ],
)
def test_mistakes_are_told(
    code: str, said: list[str], pipeline_file: Write, pycurrent: Command
) -> None:
    """By the stage, and in the words of a run; the status is 1."""
    pipeline_file(HEAD + code)
    ended = pycurrent("check", "ci.py")
    assert ended.status == 1, ended.out + ended.err
    for text in said:
        assert text in ended.out


def test_a_command_line_that_is_wrong(pycurrent: Command) -> None:
    """It is an error of its own, told on stderr: the status is 2."""
    ended = pycurrent("check", "nothing.py")
    assert (ended.status, ended.out) == (2, "")
    assert "no such file exists" in ended.err
