"""Groups of a log on a terminal."""

from __future__ import annotations

import pytest

from pycurrent.cli.headings import Headings

LOG = (
    b"::group::Build\na\n::endgroup::\nsee ::group::x\n"
    b"##[group]Test\nb ##[endgroup]\n##[endgroup]\n"
    b"\x1b[0Ksection_start:1560896352:s[collapsed=true]\r\x1b[0KDeploy\nc\n"
    b"\x1b[0Ksection_end:1560896353:s\r\x1b[0K\nno end"
)
SHOWN = "▾ Build\na\nsee ::group::x\n▾ Test\nb ##[endgroup]\n▾ Deploy\nc\n\nno end"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_headings_are_shown_by_their_words(size: int) -> None:
    """However the log comes; what only looks like a marker stays."""
    headings = Headings()
    pieces = [headings.feed(LOG[at : at + size]) for at in range(0, len(LOG), size)]
    assert b"".join([*pieces, headings.flush()]).decode() == SHOWN


def test_what_has_no_marker_is_not_held_back() -> None:
    """Such as a question at the end of a log."""
    headings = Headings()
    assert headings.feed(b"a\ncontinue? ") == b"a\ncontinue? "
    assert headings.feed(b"::group::x\n") == b"::group::x"
    assert headings.flush() == b"\n"
    assert Headings().flush() == b""
