"""The words of commands that only a shell would read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycurrent.engine import Job
from pycurrent.engine.shell_words import check_words, unread, unread_operator
from pycurrent.errors import UsageError
from pycurrent.term import Ok

from .doing import ended, start


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["ls", "|", "wc"], "'|'"),
        (["make", "&&", "make", "install"], "'&&'"),
        (["sort", "a", ">", "b"], "'>'"),
        (["ls", "*.py"], "'*.py'"),
        (["cat", "tests/test_?.py"], "'tests/test_?.py'"),
        (["ls", "$HOME/logs"], "'$HOME/logs'"),
        (["ls", "${HOME}"], "'${HOME}'"),
        (["ls", "~/logs"], "'~/logs'"),
    ],
)
def test_a_word_for_a_shell_is_told(argv: list[str], word: str) -> None:
    """It may be the reason of the failure."""
    whole = " ".join(argv)
    write = f'for a shell write ["sh", "-c", "{whole}"]'
    assert unread(argv) == f"no shell reads a command, so {argv[0]} got {word} as it is: {write}"


@pytest.mark.parametrize(
    "argv",
    [
        ["sh", "-c", "ls | wc", "|"],
        ["ssh", "host", "cd", "web", "&&", "make"],
        ["find", ".", "-name", "*.py"],
        ["git", "ls-files", "*.py"],
        ["pytest", "-k", "a*"],
        ["python", "-c", "print(2 * 3)"],
        ["printf", "%s", "a|b"],
        ["test", "a"],
        ["|"],
    ],
)
def test_a_word_that_may_be_meant_is_not(argv: list[str]) -> None:
    """Shells read theirs, and some programs take patterns."""
    assert not unread(argv)


def test_a_pattern_is_no_operator() -> None:
    """Only operators are told when the command succeeds: `*` may well be meant then."""
    assert unread_operator(["true", "&&", "false"])
    assert not unread_operator(["touch", "*"])


def test_a_long_command_is_not_repeated() -> None:
    """The message has it already."""
    assert unread(["ls", "|", "w" * 100]).endswith('write ["sh", "-c", ...]')


def test_echo_does_not_redirect() -> None:
    """It would succeed, and nothing would tell; for a text it can be given one word."""
    with pytest.raises(UsageError, match="echo would print '>', as no shell reads a command"):
        check_words(["echo", "1.0", ">", "version.txt"])
    check_words(["echo", "1.0 > 0.9"])


async def test_a_command_that_succeeds_has_a_note_in_its_log(tmp_path: Path) -> None:
    """As it may have done less than it should; not if its words are not to be shown."""

    async def work(job: Job) -> None:
        await start(job)
        await job.exec(["true", "&&", "false"])
        await job.exec(["true", ";", "hidden"], show="true")

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    assert "Note: no shell reads a command, so true got '&&' as it is" in log
    assert "hidden" not in log
