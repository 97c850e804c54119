"""Words that pages and terminals share."""

from datetime import timedelta

import pytest

from pycurrent.view.formatting import duration, plural


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


def test_one_is_no_plural() -> None:
    """And large numbers are read more easily with commas."""
    assert [plural(n, "job") for n in (0, 1, 2000)] == ["0 jobs", "1 job", "2,000 jobs"]
