"""Each example runs as a script: its parameters are options that `run` does not have already."""

import pytest

from .run import EXAMPLES, example

SCRIPTS = sorted(f.name for f in EXAMPLES.glob("*.py") if "current.main(" in f.read_text())


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_example_has_a_command_line(name: str) -> None:
    """A parameter that is named as an option of `run` would be refused."""
    done = example(name, "--help", cwd=EXAMPLES)
    assert (done.returncode, done.stderr) == (0, "")
