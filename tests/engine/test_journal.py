"""The journal of a durable job and its log say the same, whenever the engine is killed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine.journal import (
    Cursor,
    Entry,
    Journal,
    UnknownJournal,
    parts_of,
    remove_runs,
)
from pycurrent.engine.logfile import LogFile
from pycurrent.engine.spool import SpoolPump

SECRETS = ("hunter2-hunter2", "tr0ub4dor")
TEXTS = ("plain\n", "half of a ", SECRETS[0], SECRETS[0][:7], SECRETS[1], "\n", f"{SECRETS[1]}\n")
NUMBERS = (0, 1)
ACTS = st.one_of(
    st.tuples(st.just("prints"), st.sampled_from(NUMBERS), st.sampled_from(TEXTS)),
    st.tuples(st.just("copies"), st.sampled_from(NUMBERS), st.just("")),
    st.tuples(st.just("logs"), st.just(0), st.just("")),
    st.tuples(st.just("killed"), st.just(0), st.just("")),
)


@dataclass
class Engines:
    """One engine after the other, which copy two spools to the log of a job."""

    folder: Path
    lines: int = 0
    """How many lines the function has logged in all."""
    printed: dict[int, str] = field(default_factory=lambda: dict.fromkeys(NUMBERS, ""))

    def __post_init__(self) -> None:
        for number in NUMBERS:
            (self.folder / f"{number}-x").mkdir()
            (self.folder / f"{number}-x" / "spool").touch()
        self.cursor = Cursor(self.folder / "cursor")
        self.log = LogFile(self.folder / "log", stamp=lambda: "now")
        self.cursor.places = dict.fromkeys(NUMBERS, 0)
        self._begin()

    def _begin(self) -> None:
        for secret in SECRETS:
            self.log.secret(secret)
        self.log.follow(self.cursor)
        self.pumps = {number: self._pump(number) for number in NUMBERS}

    def _pump(self, number: int) -> SpoolPump:
        place = self.cursor.places.get(number, 0)
        entry = Entry(f"{self.folder}/{number}-x", number, "x", place)
        return SpoolPump(entry, self.log, self.cursor, asyncio.Semaphore())

    def prints(self, number: int, text: str) -> None:
        self.printed[number] += text
        with (self.folder / f"{number}-x" / "spool").open("a") as spool:
            spool.write(text)

    def copies(self, number: int, text: str) -> None:
        self.pumps[number].copy()

    def logs(self, number: int, text: str) -> None:
        self.log.line(f"line {self.lines}")
        self.lines += 1

    def killed(self, number: int, text: str) -> None:
        """Nothing is closed in order; the next one does the work of the function again."""
        self.cursor.close()
        self.cursor = Cursor(self.folder / "cursor")
        self.cursor.read()
        self.log = LogFile(self.folder / "log", stamp=lambda: "now", goes_on=self.cursor)
        for line in range(self.lines):
            self.log.line(f"line {line}")
        self._begin()
        self.log.caught_up()

    def end(self) -> str:
        for number, pump in self.pumps.items():
            if self.cursor.is_done(number):
                continue
            pump.ends = True
            while pump.copy():
                pass
        self.log.close()
        self.cursor.close()
        return (self.folder / "log").read_text()


def masked(text: str) -> str:
    for secret in SECRETS:
        text = text.replace(secret, "\0")
    while "\0\0" in text:
        text = text.replace("\0\0", "\0")
    return text.replace("\0", "****")


@given(st.lists(ACTS, max_size=25))
def test_no_byte_is_lost_and_none_is_there_twice(acts: list[tuple[str, int, str]]) -> None:
    """Whatever is printed, copied and logged before a kill, and after it: what each command has
    printed is in the log, masked, and each line of the function once.
    """
    with TemporaryDirectory() as folder:
        engines = Engines(Path(folder))
        for act, number, text in acts:
            getattr(engines, act)(number, text)
        log = engines.end()
    lines = [line for line in log.split("\n") if line.startswith("now: ")]
    assert lines == [f"now: line {number}" for number in range(engines.lines)]
    rest = "".join(line for line in log.splitlines(keepends=True) if not line.startswith("now: "))
    for secret in SECRETS:
        assert secret not in log
    # Lines of the two may stand between each other, and begin on a line of their own.
    wanted = sum(len(masked(text).replace("\n", "")) for text in engines.printed.values())
    assert len(rest.replace("\n", "")) == wanted


def digest(journal: Journal, *words: str, env: dict[str, str | None] | None = None) -> str:
    parts = parts_of(words, "", (env or {}).items(), None, has_output=False)
    return journal.digest(parts)


def test_a_command_is_claimed_by_what_it_is_and_how_often(tmp_path: Path) -> None:
    """Two that are the same are two, and one with other variables is another one."""
    journal = Journal.begin(tmp_path)
    for words in (["make"], ["make"], ["test"]):
        entry = journal.new(digest(journal, *words))
        Path(f"{entry.folder}.new").rename(entry.folder)
    journal.cursor.reached(0, 0)
    journal.close()
    again = Journal.read(tmp_path)
    assert [entry.number for entry in again.unclaimed] == [0, 1, 2]
    claimed = [again.claim(digest(again, word)) for word in ("test", "make", "make", "make")]
    assert [None if entry is None else entry.number for entry in claimed] == [2, 0, 1, None]
    assert again.claim(digest(again, "test", env={"A": "b"})) is None
    again.close()


def test_a_command_that_was_not_begun_is_given_up(tmp_path: Path) -> None:
    """So that nobody begins it any more."""
    journal = Journal.begin(tmp_path)
    journal.new(digest(journal, "make"))
    journal.cursor.reached(0, 0)
    journal.close()
    again = Journal.read(tmp_path)
    assert again.unclaimed == []
    assert [path.name for path in tmp_path.glob("*make*")] == []
    assert list(tmp_path.glob("*.new")) == []
    again.close()


def test_the_rest_of_a_longer_cursor_counts_for_nothing(tmp_path: Path) -> None:
    """An engine that is killed before it is cut off leaves an older place of the same command."""
    path = tmp_path / "cursor"
    cursor = Cursor(path)
    cursor.places = {0: 0, 1: 5}
    cursor.reached(0, 0)
    longer = path.read_bytes()
    cursor.done(0)
    cursor.copied(1, 9, holding=False)
    cursor.reached(4, 0)
    cursor.close()
    shorter = path.read_bytes()
    path.write_bytes(shorter + longer[len(shorter) :])
    again = Cursor(path)
    again.read()
    again.close()
    assert (again.first, again.places) == (1, {1: 9})


def test_what_has_ended_leaves_no_place(tmp_path: Path) -> None:
    """The file is not cut for that: it still has the places of commands that had run before."""
    cursor = Cursor(tmp_path / "cursor")
    cursor.places = {0: 0, 1: 5}
    cursor.reached(0, 0)
    for number in NUMBERS:
        cursor.done(number)
    cursor.reached(9, 0)
    cursor.close()
    again = Cursor(tmp_path / "cursor")
    again.read()
    again.close()
    assert (again.size, again.first, again.places) == (9, 2, {})


def test_the_journal_of_an_engine_of_the_version_before_is_read(tmp_path: Path) -> None:
    """It has its key in a file of its own. What is written from then on is of this version."""
    journal = Journal.begin(tmp_path)
    entry = journal.new(digest(journal, "make"))
    journal.cursor.reached(7, 3)
    journal.close()
    Path(f"{entry.folder}.new").rename(entry.folder)
    written = (tmp_path / "cursor").read_bytes()
    (tmp_path / "key").write_bytes(written[26:58])
    (tmp_path / "cursor").write_bytes(b"\0\1" + written[2:26] + written[58:])
    for _ in range(2):
        again = Journal.read(tmp_path)
        assert (again.cursor.size, again.cursor.lines, again.cursor.places) == (7, 3, {0: 0})
        assert again.claim(digest(again, "make")) is not None
        again.cursor.reached(7, 3)
        again.close()
        (tmp_path / "key").unlink(missing_ok=True)


def test_the_number_of_a_command_that_could_not_be_started_is_not_given_again(
    tmp_path: Path,
) -> None:
    """All of its output counts as copied, so that of another one would be lost."""
    journal = Journal.begin(tmp_path)
    first, second = (journal.new(digest(journal, word)) for word in ("make", "test"))
    Path(f"{first.folder}.new").rename(first.folder)
    journal.withdraw(second)
    journal.cursor.reached(0, 0)
    journal.close()
    again = Journal.read(tmp_path)
    entry = again.new(digest(again, "other"))
    assert not again.cursor.is_done(entry.number)
    again.close()


def test_a_short_spool_is_copied_at_once(tmp_path: Path) -> None:
    """What a command that has ended printed is in the log when this returns, and its spool gone;
    a long one is left to a thread.
    """
    engines = Engines(tmp_path)
    engines.prints(0, "brief\n")
    engines.prints(1, "long\n" * 10_000)
    assert [engines.pumps[number].finish_short() for number in NUMBERS] == [True, False]
    assert [(tmp_path / f"{number}-x" / "spool").exists() for number in NUMBERS] == [False, True]
    assert (tmp_path / "log").read_text() == "brief\n"
    engines.end()


def test_a_command_that_printed_nothing_is_done_without_a_look(tmp_path: Path) -> None:
    """Its spool is not opened; where the log has to wait for the disk, that is left to others."""
    engines = Engines(tmp_path)
    for number in NUMBERS:
        (tmp_path / f"{number}-x" / "spool").unlink()
    assert engines.pumps[0].finish_empty()
    assert engines.cursor.is_done(0)
    with engines.log._turn:
        assert not engines.pumps[1].finish_empty()
    assert not engines.cursor.is_done(1)
    assert engines.pumps[1].finish_empty()
    assert engines.end() == ""


def test_a_run_folder_goes_with_whatever_is_in_it(tmp_path: Path) -> None:
    """Folders that commands have made too, which nobody may write to; no link is gone through."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    run = tmp_path / "run"
    (run / "0-x").mkdir(parents=True)
    for path in ("lock", "0-x/status", "0-x/spool"):
        (run / path).touch()
    (run / "1-y").symlink_to(tmp_path / "kept")
    for folder in ("tmp-x/deep", "2-z/unusual"):
        (run / folder).mkdir(parents=True)
        (run / folder / "file").touch()
        (run / folder).chmod(0o500)
    remove_runs([run])
    remove_runs([run])
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\0\3" + bytes(56), b"\0\2" + bytes(24), b"\0\1" + bytes(30)]
)
def test_a_journal_that_is_damaged_or_of_another_version_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    """Nobody can tell what it means."""
    Journal.begin(tmp_path).close()
    (tmp_path / "cursor").write_bytes(content)
    with pytest.raises(UnknownJournal):
        Journal.read(tmp_path)
