"""How things are put into words."""

import pytest

from pycurrent.cli.output import one_line
from pycurrent.cli.run_options import RunOptions
from pycurrent.cli.text import counts, size
from pycurrent.term import Stats


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1 byte"), (999, "999 bytes"), (1_234_567, "1.2 MB"), (10**15, "1000.0 TB")],
)
def test_sizes(number: int, text: str) -> None:
    """In powers of 1,000."""
    assert size(number) == text


def test_one_line_is_harmless() -> None:
    """Line breaks are spaces, and what a terminal would obey is replaced."""
    assert one_line("a\n b\t\x1b[2Jc é ☃") == "a b \ufffd[2Jc é ☃"


def test_counts_name_the_worst_first() -> None:
    """What is nowhere is not named."""
    assert counts(Stats(ok=2, failed=1, blocked=3)) == "1 failed, 3 blocked, 2 ok"
    assert counts(Stats()) == "no stages"


def test_nothing_is_confirmed_unless_asked() -> None:
    """The defaults of `run`."""
    config = RunOptions().config()
    assert (config.confirm, config.auto_release) == (None, None)
