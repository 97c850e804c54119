"""How things are put into words."""

from datetime import timedelta

import pytest

from pycurrent.cli.options import RunOptions
from pycurrent.cli.text import counts, duration, one_line, size
from pycurrent.term import Stats


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0, "0.0 s"),
        (1.26, "1.3 s"),
        (9.97, "10 s"),
        (59.7, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (11220, "3 h 07 min"),
        (4 * 86400 + 2 * 3600, "4 d 02 h"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    """As long as it takes to read."""
    assert duration(timedelta(seconds=seconds)) == text


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
    assert counts(Stats(ok=2, failed=1, blocked=3)) == "1 failed, 2 ok, 3 blocked"
    assert counts(Stats()) == "no stages"


def test_nothing_is_confirmed_unless_asked() -> None:
    """The defaults of `run`."""
    config = RunOptions().config()
    assert (config.confirm, config.auto_release) == (None, None)
