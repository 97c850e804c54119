"""The texts of checks in GitHub's Markdown, cut to its limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pycurrent.engine.job_details import JobDetails, LogLine
from pycurrent.engine.site_links import SiteLinks
from pycurrent.plugins.github.check_values import CheckPart, CheckState, ShownCheck
from pycurrent.store import Annotation, AnnotationLevel

LONGEST = 65_535
"""In characters: a summary, and a text, of a check run."""
BATCH = 50
"""Annotations in one request."""

_CUT = "\n\nThe rest is left out, as GitHub takes no longer texts."
_WHY = "### Why it is so"
_REST = "<!-- pycurrent: the rest -->\n\n"
_END_OF_BLOCK = "\n```"
_MOST_CONTEXT = 10
_MOST_LOOSE = 10
_SIGNS = {
    CheckState.QUEUED: "⏳",
    CheckState.RUNNING: "🔄",
    CheckState.SUCCESS: "✅",
    CheckState.FAILURE: "❌",
    CheckState.TIMED_OUT: "⏰",
    CheckState.CANCELLED: "🚫",
}
_LEVELS = {
    AnnotationLevel.NOTICE: "notice",
    AnnotationLevel.WARNING: "warning",
    AnnotationLevel.ERROR: "failure",
}
_LONGEST_TITLE = 255
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~@&])")


@dataclass(frozen=True, slots=True)
class Explained:
    """A part of a check that has failed, or a stage below it, with what is known of its job."""

    part: CheckPart
    name: str
    """As it is shown."""
    details: JobDetails | None


def summary_of(check: ShownCheck, links: SiteLinks, path: str) -> str:
    """A line on each part, as a table where there are several, for the check at a path."""
    if check.is_summary:
        rows = [row for part in check.parts for row in _rows(part, links, path)]
        return cut("\n".join(["| check | |", "|---|---|", *rows]))
    (part,) = check.parts
    told = f"{_SIGNS[part.state]} {escaped(part.title)}{_log(part.job, links)}"
    if not part.below:
        return told
    rows = [*_rows_below(part, links, path)]
    return cut("\n".join([told, "", "| failed | |", "|---|---|", *rows]))


def near(path: str, check: str) -> str:
    """The path of a stage as it is seen from the check at another one: without what they share."""
    names, around = path.split("/"), check.split("/")
    shared = 0
    while shared < min(len(names), len(around)) - 1 and names[shared] == around[shared]:
        shared += 1
    return "/".join(names[shared:])


def text_of(found: Sequence[Explained], more: int, links: SiteLinks) -> str:
    """All that explains what has failed, each under its name, and how many more there are."""
    parts = [part for one in found for part in _explained(one, links)]
    if more:
        parts.append(f"And {more} more.")
    return cut("\n\n".join(parts))


def explained_again(text: str, whys: Sequence[str]) -> str:
    """The text of a check with what explains its jobs as they are now, at its beginning: a later
    answer takes the place of an earlier one.
    """
    rest = text.partition(_REST)[2] if text.startswith(_WHY) else text
    blocks = "\n\n".join(_block(why.splitlines()) for why in whys)
    return cut(f"{_WHY}\n\n{blocks}\n\n{_REST}{rest}")


def cut(text: str) -> str:
    """A text that GitHub takes. One that is cut in a block of code has that closed."""
    if len(text) <= LONGEST:
        return text
    kept = text[: LONGEST - len(_CUT) - len(_END_OF_BLOCK)]
    kept = kept.rpartition("\n")[0] or kept
    is_open = sum(line.startswith("```") for line in kept.splitlines()) % 2 == 1
    return f"{kept}{_END_OF_BLOCK if is_open else ''}{_CUT}"


def escaped(text: str) -> str:
    """A text of others as Markdown that shows it as it is, on one line: nobody is mentioned, and
    nothing is a link or an element.
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\\@", "&#64;")


def annotation_body(one: Annotation) -> dict[str, Any]:
    """An annotation of a file as GitHub takes it, which wants a line, too."""
    line = one.line or 1
    body: dict[str, Any] = {
        "path": one.path,
        "start_line": line,
        "end_line": line if one.end_line is None else max(line, one.end_line),
        "annotation_level": _LEVELS[one.level],
        "message": one.message or "see the log",
    }
    if one.title is not None:
        body["title"] = one.title[:_LONGEST_TITLE]
    if one.column is not None and one.line is not None and body["end_line"] == line:
        body |= {"start_column": one.column, "end_column": one.column}
    return body


def _log(job: str | None, links: SiteLinks) -> str:
    address = None if job is None else links.job(job)
    return "" if address is None else f" ([log]({address}))"


def _rows(part: CheckPart, links: SiteLinks, path: str) -> Iterator[str]:
    yield _row(escaped(part.name), part, _log(part.job, links))
    yield from _rows_below(part, links, path)


def _rows_below(part: CheckPart, links: SiteLinks, path: str) -> Iterator[str]:
    for one in part.below:
        yield _row(escaped(near(one.name, path)), one, _page(one, links))
    if part.more:
        yield f"| and {part.more} more | |"


def _row(name: str, part: CheckPart, link: str) -> str:
    return f"| {_SIGNS[part.state]} {name} | {escaped(part.title)}{link} |"


def _page(part: CheckPart, links: SiteLinks) -> str:
    """A link to the log of a job, or else to the page of a stage."""
    is_without = part.is_stage and part.job is None
    address = links.stage(part.name) if is_without else None
    return _log(part.job, links) if address is None else f" ([stage]({address}))"


def _explained(one: Explained, links: SiteLinks) -> Iterator[str]:
    yield f"### {escaped(one.name)}{_page(one.part, links)}"
    if one.details is None:
        yield _block([one.part.title])
    else:
        yield from _job(one.details, links)


def _job(job: JobDetails, links: SiteLinks) -> Iterator[str]:
    if job.failure is not None:
        yield _block(job.failure.splitlines())
    if job.cause:
        yield _named("Why it was run", job.cause)
    if job.tests:
        yield _named(f"Its {job.tests[0]}", job.tests[1:])
    for part in job.lines:
        telling = next((line for line in part if line.tells), None)
        number = None if telling is None else telling.number
        address = links.job(job.job, line=number)
        where = "Its log" if number is None else f"Line {number} of its log"
        yield f"**{where if address is None else f'[{where}]({address})'}**"
        yield _block([_line(line) for line in part])
    loose = [f"{one.level.value}: {one}" for one in job.annotations if one.path is None]
    if loose:
        yield _named("Annotations of no file", loose[:_MOST_LOOSE])
    if job.context:
        yield _named("Since when", job.context[:_MOST_CONTEXT])
    if job.by_hand:
        yield "**To do the same by hand**"
        yield _block(job.by_hand, "sh")


def _named(title: str, lines: Sequence[str]) -> str:
    return "\n".join(
        [f"**{title}**", "", *(f"- {escaped(line)}" for line in lines if line.strip())]
    )


def _line(line: LogLine) -> str:
    number = "" if line.number is None else str(line.number)
    return f"{'>' if line.tells else ' '} {number:>6} | {line.text}"


def _block(lines: Sequence[str], language: str = "text") -> str:
    """Lines as they are, which can't end their block."""
    inside = "\n".join(lines).replace("```", "'''")
    return f"```{language}\n{inside}\n```"
