"""Windows of logs, by the index of their lines."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine import LogSource
from pycurrent.service.log_index import (
    LINES_PER_ENTRY,
    LONGEST_LINE,
    LogIndex,
    overwritten,
    style_after,
)

RED, BOLD, RESET = b"\x1b[31m", b"\x1b[1m", b"\x1b[0m"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.log"


def indexed(path: Path, data: bytes) -> LogIndex:
    path.write_bytes(data)
    index = LogIndex(LogSource(path))
    index.extend()
    return index


def texts(index: LogIndex, first: int, count: int) -> list[str]:
    return [line.text for line in index.window(first, count).lines]


LINES = st.lists(st.text("ab ü", max_size=5), max_size=40)


@given(LINES, st.lists(st.integers(0, 200), max_size=4), st.integers(0, 45), st.integers(1, 45))
def test_windows_are_what_a_plain_reader_sees(
    lines: list[str], cuts: list[int], first: int, count: int
) -> None:
    """However the log has grown meanwhile: in the middle of lines, and of letters."""
    data = "\n".join(lines).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.touch()
        index = LogIndex(LogSource(path))
        for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            path.write_bytes(data[:end])
            index.extend()
        window = index.window(first, count)
    plain = data.decode().split("\n")
    if plain[-1] == "":
        plain.pop()
    first = min(first, len(plain))
    assert [line.text for line in window.lines] == plain[first : first + count]
    assert (window.total, window.complete) == (len(plain), data.count(b"\n"))
    assert window.first == first


def test_lines_far_down_are_found_by_the_index(path: Path) -> None:
    """Without a look at those before the last multiple of 256."""
    index = indexed(path, b"".join(b"line %d\n" % n for n in range(100_000)))
    assert index.total == 100_000
    assert texts(index, 99_998, 10) == ["line 99998", "line 99999"]
    offset, number = index.offset(70_000)
    assert 0 <= 70_000 - number < LINES_PER_ENTRY
    with path.open("rb") as file:
        file.seek(offset)
        assert file.readline() == b"line %d\n" % number


@given(st.lists(st.integers(0, 12_000), max_size=6))
def test_the_index_is_the_same_however_a_log_has_grown(cuts: list[int]) -> None:
    """By whole entries, by less than one, and by parts of lines."""
    data = b"".join(b"%d\n" % n for n in range(2000)) + b"no end"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.touch()
        index = LogIndex(LogSource(path))
        for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            path.write_bytes(data[:end])
            index.extend()
    entries = range(0, 2001, LINES_PER_ENTRY)
    assert [index.offset(line) for line in entries] == [
        (data.index(b"\n%d\n" % line) + 1 if line else 0, line) for line in entries
    ]
    assert (index.total, index.complete) == (2001, 2000)


def test_a_window_begins_in_the_colours_that_hold_there(path: Path) -> None:
    """They were set far above, once for all lines."""
    lines = [b"plain\n"] * 300 + [RED + b"first\n"] + [b"red\n"] * 1000 + [RESET + b"plain\n"] * 9
    index = indexed(path, b"".join(lines))
    assert [index.window(n, 1).style for n in (300, 301, 800, 1300, 1302)] == [
        "",
        "\x1b[31m",
        "\x1b[31m",
        "\x1b[31m",
        "",
    ]


@given(st.lists(st.sampled_from([RED, BOLD, RESET, b"\x1b[m", b"\x1b[0;32m", b"text"])))
def test_colours_are_those_since_the_last_reset(parts: list[bytes]) -> None:
    """Whether they are read at once or bit by bit."""
    whole = style_after(b"", b"".join(parts))
    bits = b""
    for part in parts:
        bits = style_after(bits, part)
    assert whole == bits
    assert RESET not in whole
    assert style_after(whole, RESET) == b""


def test_colours_that_never_end_take_no_memory(path: Path) -> None:
    """Only the last ones are remembered, each whole."""
    codes = b"".join(b"\x1b[38;5;%dm" % (n % 256) for n in range(10_000))
    style = style_after(b"", codes)
    assert len(style) <= 256
    assert style.startswith(b"\x1b[38;5;")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b" 10%\r 55%\r100%", b"100%"),
        (b"a long line\rab", b"ablong line"),
        (b"windows\r", b"windows"),
        (b"a long line\r\x1b[Kab", b"\x1b[Kab"),
        (b"\r\r\r", b""),
    ],
)
def test_a_progress_bar_shows_its_last_state(line: bytes, shown: bytes) -> None:
    """As on a terminal: what is longer shows beside what has overwritten it."""
    assert overwritten(line) == shown


def test_a_very_long_line_is_cut(path: Path) -> None:
    """It says by how much; the lines after it are there."""
    index = indexed(path, b"before\n" + b"x" * 3_000_000 + b"\nafter\n")
    window = index.window(0, 10)
    assert [line.text[:6] for line in window.lines] == ["before", "xxxxxx", "after"]
    cut = window.lines[1]
    assert len(cut.text) == LONGEST_LINE
    assert len(cut.text) + cut.cut == 3_000_000


L = LONGEST_LINE


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r", b"\r\r\n"])
@pytest.mark.parametrize("length", [L - 2, L - 1, L, L + 1, L + 2, 2 * L, 100 * L])
def test_what_is_left_out_of_a_line_is_counted_without_its_end(
    path: Path, length: int, end: bytes
) -> None:
    """Whatever that is, and wherever the line is cut; the next line follows."""
    data = b"before\n" + b"x" * length + end
    lines = indexed(path, data).window(1, 2).lines
    assert [(len(line.text), line.cut) for line in lines] == [(min(length, L), max(length - L, 0))]
    if end.endswith(b"\n"):
        assert texts(indexed(path, data + b"after\n"), 1, 3)[1:] == ["after"]


@pytest.mark.parametrize(
    ("line", "shown", "cut"),
    [
        (b"\rstep" * L + b"\rend!", "end!", 0),
        (b"step\r" * L, "step", 0),
        (b"step\r" * L + b"\r\n", "step", 0),
        (b"a" * 20 + b"\r" + b"b" * (L - 22) + b"\r", "b" * (L - 22), 0),
        (b"a" * 20 + b"\r" + b"b" * L, "b" * L, 0),
        (b"a" * 20 + b"\r" + b"b" * (L + 1), "b" * L, 1),
        (b"a" * (L - 1) + b"\r" + b"b" * (L + 5) + b"\r\n", "b" * L, 5),
        (b"a" * 9 * L + b"\rb\r" + b"c" * 3 * L + b"\n", "c" * L, 2 * L),
    ],
    ids=range(8),
)
def test_what_a_long_line_has_overwritten_is_not_left_out(
    path: Path, line: bytes, shown: str, cut: int
) -> None:
    """As nobody would see it on a terminal: what stands there last is shown, and counted."""
    (found,) = indexed(path, line).window(0, 2).lines
    assert (found.text, found.cut) == (shown, cut)


def test_a_long_line_is_not_cut_within_a_letter(path: Path) -> None:
    """The letter is left out, and all of its bytes are counted."""
    line = "x" + "ü" * L
    (found,) = indexed(path, line.encode()).window(0, 1).lines
    assert found.text == line[: L // 2]
    assert found.cut == len(line.encode()) - (L - 1)


def test_of_a_long_progress_bar_the_end_is_shown(path: Path) -> None:
    """It has written all of its life into one line."""
    bar = b"".join(b"\r%3d %% done" % (n // 1000) for n in range(100_001))
    index = indexed(path, b"before\n" + bar + b"\nafter\n")
    assert texts(index, 0, 3) == ["before", "100 % done", "after"]


def test_a_window_of_long_lines_has_fewer(path: Path) -> None:
    """It says where to go on."""
    index = indexed(path, (b"y" * LONGEST_LINE + b"\n") * 200)
    window = index.window(0, 200)
    assert 1 <= len(window.lines) < 200
    assert window.next == len(window.lines)


def test_what_is_no_utf8_is_replaced(path: Path) -> None:
    """A log may hold anything."""
    assert texts(indexed(path, b"\xff\xfe\x00ok\n"), 0, 1) == ["\ufffd\ufffd\x00ok"]


def naively_overwritten(line: bytes) -> bytes:
    """One part after the other, as a terminal would."""
    shown = b""
    for part in line.rstrip(b"\r").split(b"\r"):
        plain = b"\x1b" not in part and b"\x1b" not in shown
        shown = part + shown[len(part) :] if plain else part or shown
    return shown


@given(st.lists(st.sampled_from([b"\r", b"a", b"bc", b"def", b"\x1b[K", b"\r\r"]), max_size=30))
def test_what_is_left_of_a_line_is_what_a_terminal_shows(parts: list[bytes]) -> None:
    """However often it has gone back to its beginning."""
    line = b"".join(parts)
    assert overwritten(line) == naively_overwritten(line)


def test_lines_that_go_back_all_the_time_cost_no_more_than_others(path: Path) -> None:
    """A window of them has fewer, as it is what is read that counts."""
    line = b"\r" * (LONGEST_LINE - 2) + b"x\n"
    index = indexed(path, line * 500)
    window = index.window(0, 500)
    assert 60 <= len(window.lines) <= 70
    assert {shown.text for shown in window.lines} == {"x"}
    assert len(index.window(490, 10).lines) == 10
    bar = b"\r".join([b"%d %%" % (number % 100) for number in range(100_000)]) + b"\n"
    assert len(indexed(path, bar * 20).window(0, 100).lines) >= 16


def test_colours_that_change_all_the_time_are_looked_through_once() -> None:
    """As many as a megabyte of them."""
    changes = b"\x1b[1m\x1b[31m" * 200_000
    style = style_after(b"", changes)
    assert len(style) <= 256
    assert changes.endswith(style)
