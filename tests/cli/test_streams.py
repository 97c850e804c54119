"""Streams that are closed, full, or a terminal that a log must not command."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from pycurrent.cli.output import TerminalFilter, for_terminal

from .commands import FROBS, Write

RUN = [sys.executable, "-m", "pycurrent", "run", "ci.py", "--once", "--keys", "a", "bad"]


def _shell(redirections: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirections}', "-", *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


CLOSED = [
    " ".join(part for part in parts if part)
    for parts in product(["", "<&-"], ["", ">&-"], ["", "2>&-"])
][1:]


@pytest.mark.parametrize("closed", CLOSED)
def test_a_run_goes_on_whatever_streams_are_closed(pipeline_file: Write, closed: str) -> None:
    """Its work is done and its exit status is the same; no file gets what it says."""
    pipeline_file(FROBS)

    ended = _shell(closed, *RUN)

    assert ended.returncode == 1
    assert ended.stderr == ""
    assert (">&-" in closed) == (ended.stdout == "") or "2>&-" in closed
    assert len(list(Path(".pycurrent/job").rglob("*.log"))) == 2


def test_a_run_says_once_that_its_output_can_not_be_written(pipeline_file: Write) -> None:
    """A full disk under stdout is no reason to end, nor for a line at each change."""
    pipeline_file(FROBS)

    ended = _shell(">/dev/full", *RUN)

    assert ended.returncode == 1
    assert ended.stderr == (
        "pycurrent: the output can't be written: No space left on device; the run goes on\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["history"],
        ["log", "last"],
        ["graph", "ci.py"],
        ["gc", "--older-than", "1d"],
        ["--help"],
        ["run", "ci.py", "--help"],
        ["--version"],
        ["token", "list"],
    ],
)
def test_each_command_says_that_its_output_can_not_be_written(
    pipeline_file: Write, command: list[str]
) -> None:
    """One line, and status 1; nothing at all if nobody reads it, or if stderr is full too."""
    pipeline_file(FROBS)
    _shell(">/dev/null", *RUN)
    whole = [sys.executable, "-m", "pycurrent", *command]

    full = _shell(">/dev/full", *whole)
    both = _shell(">/dev/full 2>/dev/full", *whole)

    said = "pycurrent: the output can't be written: No space left on device\n"
    usual = _shell("", *whole)
    assert (full.returncode, full.stderr) == ((1, said) if usual.stdout else (0, usual.stderr))
    assert both.returncode == full.returncode


def test_a_run_whose_reader_has_gone_away_goes_on_quietly(pipeline_file: Write) -> None:
    """Who has seen enough, as `head` has, doesn't end it, and nothing is said."""
    pipeline_file(FROBS)
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        RUN, check=False, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writing)

    assert ended.stderr == ""
    assert len(list(Path(".pycurrent/job").rglob("*.log"))) == 2


DANGEROUS = {
    "title": b"\x1b]0;owned\x07",
    "title, with ST": b"\x1b]2;owned\x1b\\",
    "link": b"\x1b]8;;http://x\x07",
    "clipboard": b"\x1b]52;c;aGk=\x07",
    "clear": b"\x1b[2J\x1b[H",
    "private mode": b"\x1b[?1049h",
    "reports": b"\x1b[6n\x1b[c\x1b[>0q",
    "device control": b"\x1bP$q q\x1b\\",
    "reset": b"\x1bc",
    "charset": b"\x1b(0",
    "bell and backspace": b"\x07\x08",
    "C1": b"\xc2\x9b2J\xc2\x9d0;x\x07",
    "application": b"\x1b_G1\x1b\\\x1b^x\x1b\\",
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_only_colours_reach_a_terminal(name: str) -> None:
    """Titles, movements and requests are taken out, wherever a piece ends; the text is left."""
    text = b"a \x1b[1;31mred\x1b[0m" + DANGEROUS[name] + "\té\r\nb".encode()
    expected = "a \x1b[1;31mred\x1b[0m\té\r\nb".encode()

    assert for_terminal(text) == expected
    terminal = TerminalFilter()
    cut = b"".join(terminal.feed(text[i : i + 1]) for i in range(len(text)))
    assert cut + terminal.flush() == expected


def test_a_log_on_a_terminal_can_not_command_it(pipeline_file: Write) -> None:
    """`pycurrent log` keeps colours only; into a file it writes byte for byte."""
    pipeline_file(FROBS.replace("frobbing {key}", "\\x1b]0;owned\\x07\\x1b[31m{key}\\x1b[0m"))
    _shell(">/dev/null", *RUN)
    command = [sys.executable, "-m", "pycurrent", "log", "last"]

    controller, terminal = os.openpty()
    subprocess.run(command, check=True, stdout=terminal, timeout=60)
    os.close(terminal)
    shown = os.read(controller, 65536)
    os.close(controller)

    assert b"owned" not in shown
    assert b"\x1b[31m" in shown
    assert b"\x1b]0;owned\x07" in subprocess.run(command, check=True, capture_output=True).stdout
