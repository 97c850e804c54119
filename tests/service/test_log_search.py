"""Looking for something in a log."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine import LogSource
from pycurrent.service import BadPattern, LogQuery, Syntax
from pycurrent.service.log_index import LogIndex
from pycurrent.service.log_search import search_log


def indexed(path: Path, data: bytes) -> LogIndex:
    path.write_bytes(data)
    index = LogIndex(LogSource(path))
    index.extend()
    return index


@given(st.lists(st.text("aB*x", max_size=4), max_size=30), st.text("aBx*", min_size=1, max_size=2))
def test_all_lines_with_the_text_are_found(lines: list[str], text: str) -> None:
    """Whatever the case of letters; what would be a pattern is just a text."""
    with tempfile.TemporaryDirectory() as folder:
        index = indexed(Path(folder) / "log", "\n".join(lines).encode())
        found = search_log(index, LogQuery(text, limit=1000))
    expected = [n for n, line in enumerate(lines) if text.lower() in line.lower()]
    assert [match.number for match in found.matches] == expected
    assert found.next is None


def test_a_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Page by page, nothing is found twice or left out."""
    index = indexed(tmp_path / "log", b"".join(b"error %d\nfine\n" % n for n in range(50_000)))
    found, first = [], 0
    while True:
        page = search_log(index, LogQuery("ERROR", first=first, limit=999))
        found += [match.number for match in page.matches]
        if page.next is None:
            break
        first = page.next
    assert found == list(range(0, 100_000, 2))


@pytest.mark.parametrize("text", ["ERROR 5", "error 5" + "x" * 500])
def test_colours_do_not_hide_a_text(text: str, tmp_path: Path) -> None:
    """They may change in the middle of a word; of a long text that is not expected."""
    lines = b"\x1b[1;31mer\x1b[0mror\x1b[32m 5\x1b[0m\n" + text.encode() + b"\n"
    found = search_log(indexed(tmp_path / "log", lines), LogQuery(text))
    assert [match.number for match in found.matches] == ([0, 1] if len(text) < 80 else [1])


def test_patterns_match_in_lines(tmp_path: Path) -> None:
    r"""`^` and `$` stand at the ends of each line."""
    index = indexed(tmp_path / "log", b"warning: a\nerror: b\n  error: c\nfatal\n")
    query = LogQuery(r"^(error|fatal)\b", Syntax.PATTERN)
    assert [match.line.text for match in search_log(index, query).matches] == ["error: b", "fatal"]


@pytest.mark.parametrize("pattern", ["(", "a{5000}{5}", "(?=x)", "[[:nope:]]"])
def test_what_is_no_pattern_is_refused(pattern: str, tmp_path: Path) -> None:
    """It says why."""
    index = indexed(tmp_path / "log", b"x\n")
    with pytest.raises(BadPattern, match=re.escape(repr(pattern))):
        search_log(index, LogQuery(pattern, Syntax.PATTERN))


def test_of_a_long_line_what_is_around_the_match_is_shown(tmp_path: Path) -> None:
    """Not its beginning, which may be megabytes away."""
    index = indexed(tmp_path / "log", b"x" * 2_500_000 + b"needle" + b"y" * 100_000 + b"\nlast\n")
    (match,) = search_log(index, LogQuery("needle")).matches
    assert "needle" in match.line.text
    assert (match.number, match.line.cut > 100_000) == (0, True)
    (last,) = search_log(index, LogQuery("last")).matches
    assert last.number == 1
