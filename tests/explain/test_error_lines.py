"""Finding the lines that tell why a job failed."""

from __future__ import annotations

import io
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.explain.error_lines import (
    LONGEST_LINE,
    MOST_BYTES,
    MOST_LINES,
    ErrorLines,
    FoundBy,
    find_error_lines,
)
from pycurrent.explain.kinds import kind_of
from pycurrent.explain.output import MOST_OF_BEGINNING, MOST_OF_END
from pycurrent.term import FailureKind

NOTE = "2026-11-22 09:30.05: "


def found(text: str | bytes, rule_at: int | None = None) -> ErrorLines:
    data = text.encode() if isinstance(text, str) else text
    return find_error_lines(io.BytesIO(data), rule_at=rule_at)


class Virtual(io.RawIOBase):
    """A log of any size, of one line again and again, with a beginning and an end."""

    def __init__(self, line: bytes, size: int, begin: bytes = b"", end: bytes = b"") -> None:
        self._line, self._size, self._begin, self._end = line, size, begin, end
        self._at = 0
        self.was_read = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (self._size if whence == 2 else 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "a long log must not be read whole"
        size = min(size, self._size - self._at)
        self.was_read += size
        skip = self._at % len(self._line)
        data = bytearray((self._line * (size // len(self._line) + 2))[skip : skip + size])
        if self._at == 0:
            data[: len(self._begin)] = self._begin
        self._at += size
        if self._at == self._size and self._end:
            data[-len(self._end) :] = self._end
        return bytes(data)


def test_a_line_comes_with_those_around() -> None:
    """Three lines before and after, with the place and the number of the first."""
    text = "".join(f"line {n}\n" for n in range(1, 10)) + "main.c:1:2: error: no\n" + "after\n" * 9
    (excerpt,) = found(text).excerpts
    assert [line.text for line in excerpt.lines] == [
        *("line 7", "line 8", "line 9", "main.c:1:2: error: no", "after", "after", "after")
    ]
    assert [line.tells for line in excerpt.lines] == [n == 3 for n in range(7)]
    assert excerpt.number == 7
    assert text[excerpt.offset :].startswith("line 7\n")


def test_lines_that_are_near_are_in_one_piece() -> None:
    """No line is shown twice."""
    text = (
        "a.c:1:1: error: one\nx\ny\na.c:9:1: error: two\n" + "z\n" * 20 + "b.c:1:1: error: three\n"
    )
    one, other = found(text).excerpts
    assert len(one.lines) == 7
    assert [line.text for line in other.lines] == ["z", "z", "z", "b.c:1:1: error: three"]


def test_the_heaviest_lines_are_shown() -> None:
    """A line that gives the reason counts more than one that says that something failed."""
    text = "make: *** [all] Error 1\nmain.c:1:2: error: no\nmake: *** [all] Error 1\n"
    assert found(text).telling == ["main.c:1:2: error: no"]


def test_the_last_command_counts() -> None:
    """What a command before the last one printed was survived."""
    text = (
        f"{NOTE}Exec: git fetch\nfatal: not a git repository\n"
        f"{NOTE}Exec: make\nmake: *** [all] Error 1\n"
    )
    assert found(text).telling == ["make: *** [all] Error 1"]


def test_if_the_last_command_says_nothing_the_others_count() -> None:
    """A command that tidies up does not hide the reason."""
    text = f"{NOTE}Exec: git fetch\nfatal: not a git repository\n{NOTE}Exec: rm -r tmp\nremoved\n"
    assert found(text).telling == ["fatal: not a git repository"]


def test_notes_are_not_output() -> None:
    """Lines of the engine neither tell nor stand around, nor does the last message."""
    text = (
        f"{NOTE}New job: error: not this\n{NOTE}Exec: sh build.sh\nbuild.sh: 1: nmake: not found\n"
        f"{NOTE}Job failed: error: nor this\nerror: nor that\n"
    )
    result = found(text)
    assert result.telling == ["build.sh: 1: nmake: not found"]
    assert [line.text for e in result.excerpts for line in e.lines] == result.telling


def test_the_end_tells_if_nothing_else_does() -> None:
    """Without a pattern that matches the last lines are shown."""
    result = found("".join(f"row {n}\n" for n in range(50)) + "\n\n" + f"{NOTE}Job failed: no\n")
    assert result.found_by is FoundBy.END
    assert result.telling == ["row 47", "row 48", "row 49"]
    assert [len(excerpt.lines) for excerpt in result.excerpts] == [6]
    assert result.kind is None


@pytest.mark.parametrize("text", ["", "\n\n", f"{NOTE}New job\n{NOTE}Job failed: no\n"])
def test_without_output_there_is_nothing(text: str) -> None:
    """A job may fail without a word."""
    assert found(text).excerpts == ()


def test_a_rule_of_the_author_is_first() -> None:
    """The line where a log rule has matched comes before those of patterns."""
    text = "a.c:1:1: error: one\n" + "x\n" * 20 + "the flux capacitor is empty\n" + "y\n" * 9
    result = found(text, rule_at=text.index("capacitor"))
    assert result.found_by is FoundBy.RULE
    assert result.telling == ["the flux capacitor is empty", "a.c:1:1: error: one"]


def test_lines_that_a_rule_and_a_pattern_have_found_are_told_once() -> None:
    """In the one piece of the rule."""
    text = "prices.py ... ok\nprices.py:41:5: error: vat is not used\n"
    (excerpt,) = found(text, rule_at=text.index("41")).excerpts
    assert [line.text for line in excerpt.lines if line.tells] == text.splitlines()[1:]


def test_a_rule_may_match_in_a_note() -> None:
    """Then the output is what is left to show."""
    text = f"only this\n{NOTE}Job failed: no\n"
    assert found(text, rule_at=text.index("failed")).telling == ["only this"]


def test_colours_and_overwritten_lines_are_gone() -> None:
    """Lines are as a terminal shows them, and their places those in the log."""
    text = "10 %\r20 %\r\x1b[2Kdone\r\n\x1b[1mmain.c:1:2: \x1b[31merror: \x1b[0mno\r\n"
    (excerpt,) = found(text).excerpts
    assert [line.text for line in excerpt.lines] == ["done", "main.c:1:2: error: no"]
    assert (excerpt.offset, excerpt.number) == (0, 1)


def test_lines_of_builds_of_images_are_those_of_their_steps() -> None:
    """BuildKit's numbers before them are gone; other numbers stay."""
    step = "#5 0.1 a.c:1:1: error: no\n------\n > [2/2] RUN make:\n0.1 a.c:1:1: error: no\n------\n"
    assert found(step).telling == ["a.c:1:1: error: no"] * 2
    assert found("0.1 rows\n").telling == ["0.1 rows"]


def test_long_lines_are_cut() -> None:
    """Of a line of megabytes its beginning is shown, and the part that tells."""
    result = found("main.js: " + "x" * 1_000_000 + " Error: connection refused " + "y" * 1_000_000)
    (line,) = result.telling
    assert line.startswith("main.js: xxx")
    assert "connection refused" in line
    assert len(line) <= LONGEST_LINE + 2


def test_there_are_limits() -> None:
    """At most ten lines tell, and all together are short."""
    result = found("".join(f"file{n}.c:1:1: error: {'x' * 400}\n" + "y\n" * 20 for n in range(99)))
    size = sum(len(line.text) + 1 for excerpt in result.excerpts for line in excerpt.lines)
    assert 5 <= len(result.telling) <= MOST_LINES
    assert MOST_BYTES // 2 < size <= MOST_BYTES
    assert result.telling[0].startswith("file0.c")


def test_what_is_not_text_is_shown_as_far_as_it_goes() -> None:
    """Bytes that are not UTF-8, and control characters, do no harm."""
    assert found(b"error: \xff\x00\x07 x\n").telling == ["error: � � x".replace("� � ", "�   ")]


@given(st.binary(max_size=300), st.none() | st.integers(0, 300))
def test_any_bytes_have_a_result(data: bytes, rule_at: int | None) -> None:
    """Whatever is in a log, each excerpt is a piece of it, in which a line tells."""
    result = found(data, rule_at)
    for excerpt in result.excerpts:
        assert any(line.tells for line in excerpt.lines)
        assert excerpt.offset == 0 or data[excerpt.offset - 1 : excerpt.offset] == b"\n"
        assert excerpt.number == data.count(b"\n", 0, excerpt.offset) + 1


@given(
    st.text("ab\r\n", max_size=30),
    st.sampled_from(["error: one\n", "\x1b[31merror: \x1b[0mone\r\n"]),
    st.text("ab\r\n", max_size=30),
)
def test_places_lead_to_the_lines(before: str, line: str, after: str) -> None:
    """From the place of an excerpt on, the lines of the log are its lines."""
    text = f"{before}\n{line}{after}"
    (excerpt,) = found(text).excerpts
    lines = text[excerpt.offset :].split("\n")
    told = next(n for n, shown in enumerate(excerpt.lines) if shown.tells)
    assert lines[told] + "\n" == line
    assert excerpt.lines[told].text == "error: one"


@pytest.mark.parametrize(
    "line",
    [
        *(b"compiling a file with some options\n", b"error: no\n", b"\n", b"x", b"1 %\r"),
        *(
            b"------\n > ",
            b"\x1b[31mred\x1b[0m\n",
            f"{NOTE}Exec: make\n".encode(),
            b"FAILED \x1b\r\n",
            b"a:",
        ),
    ],
)
def test_a_long_log_takes_little(line: bytes) -> None:
    """A gigabyte takes as much memory and time as some megabytes: its middle is not read."""
    log = Virtual(line, 1 << 30, b"\na.c:1:1: error: first\n", b"\nmake: *** [all] Error 1\n")
    find_error_lines(io.BytesIO(b"error: warm up\n"))
    tracemalloc.start()
    started = time.process_time()
    result = find_error_lines(log)  # type: ignore[arg-type]
    took = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.telling
    assert log.was_read <= MOST_OF_BEGINNING + MOST_OF_END
    assert result.skipped >= (1 << 30) - MOST_OF_BEGINNING - MOST_OF_END
    assert peak < 128 << 20
    assert took < 10


def test_the_first_error_of_a_long_log_is_found() -> None:
    """Its beginning is read as well as its end, and lines behind the gap have no number."""
    begin, end = b"a.c:1:1: error: first\n", b"\nb.c:1:1: error: last\n"
    result = find_error_lines(Virtual(b"ok\n", 1 << 30, begin, end))  # type: ignore[arg-type]
    assert result.telling == ["a.c:1:1: error: first", "b.c:1:1: error: last"]
    assert [excerpt.number for excerpt in result.excerpts] == [1, None]


def test_an_error_in_the_beginning_of_a_long_log_was_survived() -> None:
    """The part that was read last decides, even if nothing in it matches."""
    line = b"\ncurl: (7) Failed to connect to a.example.org\n"
    for kept in (b"  ok\n", b"make: *** [all] Error 1\n"):
        result = find_error_lines(Virtual(kept, 1 << 30, begin=line))  # type: ignore[arg-type]
        assert result.kind is None
    result = find_error_lines(Virtual(b"ok\n", 1 << 30, line, b"\nthe end"))  # type: ignore[arg-type]
    assert result.telling == [line.decode().strip(), "the end"]


def test_a_late_line_of_the_network_gives_the_kind() -> None:
    """And then it is what is shown."""
    result = found("x\ncurl: (7) Failed to connect to a.example.org\nmake: *** [get] Error 7\n")
    assert result.kind is FailureKind.INFRA
    assert result.telling == ["curl: (7) Failed to connect to a.example.org"]


def test_a_line_of_the_network_that_was_survived_does_not() -> None:
    """Neither before other output, nor before another reason; then the end is shown, too."""
    line = "curl: (7) Failed to connect to a.example.org\n"
    assert found(line + "\n  details\n" * 40).kind is None
    assert found(line + "error: the data are wrong\n").kind is None
    survived = found(line + "going on\n2 rows differ\n")
    assert survived.kind is None
    assert survived.telling == [line.strip(), "2 rows differ"]


def test_details_may_follow_what_ended_the_job() -> None:
    """Indented lines, blank ones, and those that patterns know."""
    text = "Errno::ECONNREFUSED: refused\n\tfrom a.rb:1\n\nmake: *** [get] Error 1\n"
    assert found(text).kind is FailureKind.INFRA


def test_a_warning_of_the_network_takes_an_error_of_the_same_tool() -> None:
    """pip warns when it tries again, which may well succeed."""
    warning = "WARNING: Retrying (Retry(total=0)) after connection broken by 'x': /simple/demo/\n"
    error = "ERROR: No matching distribution found for demo\n"
    assert found(warning).kind is None
    assert found(warning + "make: *** [all] Error 1\n").kind is None
    assert found(warning + error).kind is FailureKind.INFRA


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_server_on_the_machine_itself_is_the_work(host: str) -> None:
    """What does not answer there was to be started by the work."""
    assert found(f"curl: (7) Failed to connect to {host} port 80\n").kind is None
    assert found(f"dial tcp {host}:80: connect: connection refused\n").kind is None
    line = f"dial tcp: lookup a.example.org on {host}:53: read: connection refused\n"
    assert found(line).kind is FailureKind.INFRA


def test_what_says_that_the_work_failed_decides() -> None:
    """A test may fail with any words."""
    result = found("E   ConnectionRefusedError: [Errno 111] Connection refused\ncurl: (7) Failed\n")
    assert result.kind is FailureKind.REAL


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("'make' exited with status 2", "real"),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", "infra"),
        ("[Errno 28] No space left on device", "infra"),
        ("", "real"),
    ],
)
def test_a_message_may_give_the_kind(message: str, kind: str) -> None:
    """Without a log it is the message that says it; in doubt the failure is real."""
    assert kind_of(message).value == kind


def test_message_and_log_are_taken_together() -> None:
    """Either may say INFRA, and either may say that the work failed."""
    infra = found("curl: (7) Failed to connect to a.example.org\n")
    real = found("--- FAIL: TestSum (0.00s)\n")
    assert kind_of("'make' exited with status 2", infra) is FailureKind.INFRA
    assert kind_of("no space left on device", real) is FailureKind.REAL
    assert kind_of("'make' exited with status 2", real) is FailureKind.REAL
