"""Error lines: the lines of a job's log that tell why it failed.

They are found, in this order of trust, by

1. the log rule of an author that has matched, whose place the caller knows;
2. the patterns of common tools in `patterns.toml`;
3. the end of the output, if nothing else is known.

The output of the last command counts before all else: the job went on after the errors of the
commands before it. Of the lines that match, the heaviest are shown, the first ones first, each with
the lines around it.

The same lines give the kind of the failure. It is INFRA if one of them says so, and the output ends
with that: the work may have survived an error after which it printed other lines. It is REAL if any
line says that the work itself has failed, and in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import BinaryIO

from pycurrent.explain.output import JobOutput, OutputPart, read_output, start_of_line
from pycurrent.explain.patterns import REASON, VAGUE, Match, Pattern, common_patterns
from pycurrent.term import FailureKind

LINES_AROUND = 3
MOST_LINES = 10
"""Error lines that are shown, at most."""
MOST_BYTES = 4096
"""All shown lines together, at most."""
LONGEST_LINE = 300
"""In characters: of a longer one the part around the match is shown."""

_NEAR_THE_END = 60
"""Lines that may follow an error that has ended a job."""
_AT_THE_END = 20
"""Lines. Only here a line of the smallest weight tells more than the end itself."""
_TELLING_OF_END = 3
_READ_AROUND = 4096
"""Bytes on each side of the place of a log rule's match."""


class FoundBy(Enum):
    """The way in which error lines were found."""

    RULE = "rule"
    """A log rule of the author."""
    PATTERN = "pattern"
    """The pattern of a common tool."""
    END = "end"
    """None: they are the end of the output."""


@dataclass(frozen=True, slots=True)
class ExcerptLine:
    """A line of a log, without colours and cut if it is long; `tells` of a line around is false."""

    text: str
    tells: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a log that follow each other."""

    offset: int
    """Where the first one begins in the log, in bytes."""
    number: int | None
    """The number of the first one, from 1; None behind a part of the log that was not read."""
    lines: tuple[ExcerptLine, ...]


@dataclass(frozen=True, slots=True)
class ErrorLines:
    """The lines of a log that tell why its job failed.

    They are in the order in which they were printed, but those of a log rule are the first.
    """

    excerpts: tuple[Excerpt, ...]
    found_by: FoundBy
    kind: FailureKind | None
    """The kind that they give; None if they leave it open."""
    skipped: int
    """Bytes in the middle of a long log that were not read."""

    @property
    def telling(self) -> list[str]:
        """The lines that tell, without those around."""
        return [line.text for excerpt in self.excerpts for line in excerpt.lines if line.tells]


def find_error_lines(log: BinaryIO, *, rule_at: int | None = None) -> ErrorLines:
    """Find the lines of a log that tell why its job failed.

    `log` is one that can be sought in, such as `LogSource.open()` gives; `rule_at` is where a log
    rule has matched, in bytes. It blocks while it reads and matches, for some 0.1 s if the log is
    long: call it in a thread. Raises OSError if the log can't be read.
    """
    output = read_output(log)
    hits, kind = _judged(_of_last_command(output))
    found_by = FoundBy.PATTERN if hits else FoundBy.END
    if not hits:
        hits = _last_lines(output, _TELLING_OF_END)
    elif kind is None and all(hit.is_doubtful for hit in hits):
        # Perhaps the work has survived them: then its end tells.
        hits += [end for end in _last_lines(output, 1) if not end.is_same_line(hits[-1])]
    excerpts = list(_excerpts(hits))
    if rule_at is not None and (of_rule := _excerpt_at(log, rule_at)) is not None:
        others = excerpts if found_by is FoundBy.PATTERN else ()
        excerpts = [of_rule, *(one for one in others if one.lines != of_rule.lines)]
        found_by = FoundBy.RULE
    return ErrorLines(tuple(_within_limits(excerpts)), found_by, kind, output.skipped)


@dataclass(frozen=True, slots=True)
class _Hit:
    """A line of a part of the output that a pattern has matched."""

    part: OutputPart
    match: Match

    @property
    def kind(self) -> FailureKind | None:
        return self.match.pattern.kind

    @property
    def weight(self) -> int:
        return self.match.pattern.weight

    @property
    def is_doubtful(self) -> bool:
        """True if it tells only if nothing else does."""
        return self.kind is FailureKind.INFRA or self.weight == VAGUE

    def is_same_line(self, other: _Hit) -> bool:
        return self.part is other.part and self.match.start == other.match.start

    def is_within(self, lines: int) -> bool:
        """True if at most so many lines follow in the output."""
        text = self.part.text
        if not self.part.is_last:
            return False
        at = len(text.rstrip())
        for _ in range(lines + 1):
            at = text.rfind(b"\n", 0, max(at, 0))
        return self.match.start > at


def _of_last_command(output: JobOutput) -> list[_Hit]:
    """The lines that patterns match in the output of the last command, or else in all of it."""
    patterns = common_patterns()
    hits: list[_Hit] = []
    last: list[_Hit] = []
    for part in output.parts:
        of_part = [_Hit(part, match) for match in patterns.matches(part.text)]
        hits += of_part
        if part.last_command is None:
            last += of_part
        else:
            last = [hit for hit in of_part if hit.match.start >= part.last_command]
    return last or hits


def _judged(hits: Sequence[_Hit]) -> tuple[list[_Hit], FailureKind | None]:
    """The hits that tell most, and the kind that all of them give."""
    if any(hit.kind is FailureKind.REAL for hit in hits):
        return _heaviest(hits), FailureKind.REAL
    infra = [place for place, hit in enumerate(hits) if hit.kind is FailureKind.INFRA]
    if not infra or not _have_ended_it(hits[infra[-1] :]):
        return _heaviest(hits), None
    last = hits[infra[-1]].part
    those = [hits[place] for place in infra if hits[place].part is last]
    return _heaviest(those), FailureKind.INFRA


def _have_ended_it(hits: Sequence[_Hit]) -> bool:
    """True if the error in the first of the last hits has ended the job, and was not survived."""
    infra, *others = hits
    if any(hit.weight == REASON for hit in others):
        return False
    tool = infra.match.pattern.tool
    if infra.weight == VAGUE and not any(hit.match.pattern.tool == tool for hit in others):
        return False  # a warning, and nothing that came of it
    if not infra.is_within(_NEAR_THE_END):
        return False
    # Its details are indented. Another line that no pattern knows is of work that went on.
    known = {hit.match.start for hit in hits}
    at = infra.match.start
    for line in infra.part.text[at:].split(b"\n"):
        if line and not line[:1].isspace() and at not in known:
            return False
        at += len(line) + 1
    return True


def _heaviest(hits: Sequence[_Hit]) -> list[_Hit]:
    heaviest = max((hit.weight for hit in hits), default=0)
    if heaviest == VAGUE:
        hits = [hit for hit in hits[-_AT_THE_END:] if hit.is_within(_AT_THE_END)]
    return [hit for hit in hits if hit.weight == heaviest][:MOST_LINES]


def _excerpts(hits: Iterable[_Hit]) -> Iterator[Excerpt]:
    """The lines with those around, of lines that are near each other in one piece."""
    near: list[_Hit] = []
    for hit in hits:
        if near and not _are_near(near[-1], hit):
            yield _excerpt(near[0].part, [hit.match for hit in near])
            near = []
        near.append(hit)
    if near:
        yield _excerpt(near[0].part, [hit.match for hit in near])


def _are_near(one: _Hit, other: _Hit) -> bool:
    if one.part is not other.part:
        return False
    between = one.part.text.count(b"\n", one.match.end, other.match.start)
    return between <= 2 * LINES_AROUND


def _excerpt(part: OutputPart, matches: Sequence[Match]) -> Excerpt:
    """The lines of matches in one piece, with those around, without blank ones at its ends."""
    text = part.text
    start, end = matches[0].start, matches[-1].end
    for _ in range(LINES_AROUND):
        start = text.rfind(b"\n", 0, max(start - 1, 0)) + 1
        following = text.find(b"\n", end + 1)
        end = following if following >= 0 else len(text)
    telling = {match.start: match.told_at for match in matches}
    lines: list[ExcerptLine] = []
    first = at = start
    for line in text[start:end].split(b"\n"):
        if line.strip() or lines:
            lines.append(ExcerptLine(_shown(line, telling.get(at, at) - at), at in telling))
        else:
            first = at + len(line) + 1
        at += len(line) + 1
    while lines and not lines[-1].text:
        lines.pop()
    return Excerpt(*part.place(first), tuple(lines))


def _last_lines(output: JobOutput, count: int) -> list[_Hit]:
    """The last lines of the output, at most so many, as if a pattern had matched them."""
    part = next((part for part in reversed(output.parts) if part.text.strip()), None)
    hits: list[_Hit] = []
    end = 0 if part is None else len(part.text.rstrip())
    while part is not None and end and len(hits) < count:
        start = part.text.rfind(b"\n", 0, end) + 1
        hits.append(_Hit(part, Match(start, end, end, _ANY_LINE)))
        end = len(part.text[:start].rstrip())
    return hits[::-1]


_ANY_LINE = Pattern("any", "", 0)


def _excerpt_at(log: BinaryIO, at: int) -> Excerpt | None:
    """The line at an offset of the log, with those around; None if there is only a note of ours."""
    begin = max(at - _READ_AROUND, 0)
    log.seek(begin)
    raw = log.read(2 * _READ_AROUND)
    begun = raw.find(b"\n", 0, at - begin) + 1 if begin else 0
    part = OutputPart.of(raw[begun:], begin + begun, None if begin else 1, is_last=False)
    start = start_of_line(part.text, part.raw.count(b"\n", 0, at - part.offset))
    end = part.text.find(b"\n", start)
    end = end if end >= 0 else len(part.text)
    if not part.text[start:end].strip():
        return None
    return _excerpt(part, [Match(start, end, end, _ANY_LINE)])


def _within_limits(excerpts: Iterable[Excerpt]) -> Iterator[Excerpt]:
    """As many of the lines as may be shown, the first ones."""
    left = MOST_BYTES
    for excerpt in excerpts:
        lines: list[ExcerptLine] = []
        for line in excerpt.lines:
            left -= len(line.text.encode()) + 1
            if left < 0:
                break
            lines.append(line)
        if any(line.tells for line in lines):
            yield replace(excerpt, lines=tuple(lines))
        if left < 0:
            return


def _shown(line: bytes, told_at: int) -> str:
    """A line as it is shown: of a long one its beginning, and around the end of a match."""
    if len(line) <= LONGEST_LINE:
        return _printable(line)
    start = min(max(told_at - LONGEST_LINE // 2, 0), len(line) - LONGEST_LINE // 2)
    if start <= LONGEST_LINE // 3:
        return f"{_printable(line[:LONGEST_LINE])}…"
    rest = line[start : start + LONGEST_LINE * 2 // 3]
    end = "…" if start + len(rest) < len(line) else ""
    return f"{_printable(line[: LONGEST_LINE // 3])}…{_printable(rest)}{end}"


def _printable(text: bytes) -> str:
    """The text without control characters, and without halves of characters where it was cut."""
    decoded = text.decode(errors="replace").strip("\ufffd")
    return "".join(c if c.isprintable() or c == "\t" else " " for c in decoded).rstrip()
