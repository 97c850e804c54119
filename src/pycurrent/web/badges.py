"""Badges: small pictures for a README: how the whole or a component is, how its tests ended, or how
much they cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Annotated, Literal, TypeAlias

from fastapi import APIRouter, Depends, Path, Query, Response

from pycurrent.service import Service
from pycurrent.store import Coverage, CoverageTables, LabelFilter
from pycurrent.store.coverage import percent_text
from pycurrent.term import BY_CONCERN, State, status_of_output
from pycurrent.web.api.models import Condition
from pycurrent.web.auth import require_unless
from pycurrent.web.context import ServiceOf
from pycurrent.web.middleware import EMBEDDED
from pycurrent.web.problems import may_answer, problem
from pycurrent.web.sendable import sendable
from pycurrent.web.users import Role

_SVG = {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}

router = APIRouter(
    tags=["badges"],
    dependencies=[Depends(require_unless(Role.VIEWER, lambda access: access.open_badges))],
    responses=may_answer(400, 401, 403, 422),
)

_COLOURS = {
    State.OK: "#2e7d32",
    State.FAILED: "#c62828",
    State.RUNNING: "#b35900",
    State.READY: "#7a6a00",
    State.WAITING_FOR_CONFIRMATION: "#1f4fbf",
    State.BLOCKED: "#5c5c5c",
    State.MUTED: "#7a4a44",
}
"""On each of them white is readable (WCAG 2.2, 1.4.3: 4.5 to 1)."""
_LEVELS = ((90, State.OK), (75, State.READY), (50, State.RUNNING), (0, State.FAILED))
"""From which percentage on coverage has the colour of a state."""
_MOST_STAGES = 1000
"""The tests or the coverage of so many stages are put together."""
_LONGEST = 60
_LETTER = 7.0
"""How wide a letter is, about, in pixels: the text is fitted into its box."""

Figure: TypeAlias = Literal["state", "tests", "coverage"]
Of = Annotated[
    Figure,
    Query(
        description="The state; the tests that the stages have reported last, counted; or the"
        " coverage that their last good jobs have reported."
    ),
]
Title = Annotated[str | None, Query(max_length=_LONGEST, description="The text on the left.")]


Labels = Annotated[
    list[Condition],
    Query(max_length=20, description="Conditions on labels: repo=web, branch!=main."),
]


@router.get("/badge.svg", response_class=Response, responses={200: _SVG, **may_answer(404)})
async def badge(
    service: ServiceOf,
    title: Title = None,
    label: Labels = [],  # noqa: B006
    of: Of = "state",
) -> Response:
    """How the pipeline as a whole is; or how the stages with these labels are: the worst of
    them. Or the tests or the coverage of all stages, or of those with the labels, together.
    """
    if label or of != "state":
        conditions = [LabelFilter.parse(condition) for condition in label]
        stages = [*service.stages_with(labels=conditions)]
        if label and not stages:
            raise problem(404, f"no stage has the labels {', '.join(label)}")
        if of != "state":
            return await _figure(service, of, title, [stage.path for stage in stages])
        states = {stage.state for stage in stages}
        # Muted ones are left out, unless there are no others.
        states = states - {State.MUTED} or states
        return _answer(title or ", ".join(label), min(states, key=BY_CONCERN.index))
    return _answer(title or "pipeline", status_of_output(service.engine.output).state)


@router.get(
    "/badge/{label:path}.svg", response_class=Response, responses={200: _SVG, **may_answer(404)}
)
async def component_badge(
    service: ServiceOf,
    label: Annotated[
        str, Path(max_length=1000, description="The stage's path, or its label in the diagram.")
    ],
    title: Title = None,
    of: Of = "state",
) -> Response:
    """How a component is: the worst of them, if there are several with this label. Or its tests
    or its coverage: those of all of them together.
    """
    stages = service.stages_named(label)
    if not stages:
        raise problem(404, f"no stage has the path or the label {label!r}")
    if of != "state":
        return await _figure(service, of, title, [stage.path for stage in stages])
    return _answer(title or label, min((stage.state for stage in stages), key=BY_CONCERN.index))


async def _figure(
    service: Service, of: Figure, title: str | None, paths: Sequence[str]
) -> Response:
    if of == "tests":
        return await _tests(service, title or of, paths[:_MOST_STAGES])
    return await _coverage(service, title, paths)


async def _tests(service: Service, title: str, paths: Sequence[str]) -> Response:
    """The tests of stages together, as each has reported them last."""
    counts = await service.archive.tests(lambda tables: tables.newest(paths))
    if counts is None:
        return _answer(title, State.BLOCKED, "unknown")
    if counts.bad:
        return _answer(title, State.FAILED, f"{counts.bad:,} failed")
    return _answer(title, State.OK, f"{counts.passed:,} passed")


async def _coverage(service: Service, title: str | None, paths: Sequence[str]) -> Response:
    """The coverage of stages together, each by its last good job that has reported any."""

    def read(tables: CoverageTables) -> Coverage:
        whole, seen = Coverage(), set[str]()
        for path in paths[:_MOST_STAGES]:
            for found in tables.of_stage(path, limit=1, only_ok=True):
                # Stages that are one within the other have used the same job.
                if found.job_id not in seen:
                    seen.add(found.job_id)
                    whole += found.coverage
        return whole

    percent = (await service.archive.coverage(read)).percent
    title = title or "coverage"
    if percent is None:
        return _answer(title, State.BLOCKED, "unknown")
    state = next(state for level, state in _LEVELS if percent >= level)
    return _answer(title, state, percent_text(percent))


def _answer(title: str, state: State, words: str | None = None) -> Response:
    return Response(
        badge_of(title, state, words),
        media_type="image/svg+xml",
        # Everybody who shows it has to ask each time, caches of other sites too.
        headers={"Cache-Control": "no-cache, max-age=0", **EMBEDDED},
    )


def badge_of(title: str, state: State, words: str | None = None) -> str:
    """The picture, in the colour of a state: with its name, or with other words."""
    title = sendable(title)
    if len(title) > _LONGEST:
        title = f"{title[: _LONGEST - 1]}…"
    # Control characters can't be in XML at all.
    left = escape("".join(letter if letter.isprintable() else "\ufffd" for letter in title))
    right = words or state.word
    a, b = len(title) * _LETTER + 12, len(right) * _LETTER + 12
    width = a + b
    fit = 'lengthAdjust="spacingAndGlyphs" textLength'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="20" \
role="img" aria-label="{left}: {right}"><title>{left}: {right}</title>\
<rect width="{width:g}" height="20" rx="3" fill="#404040"/>\
<path d="M{a:g} 0h{b - 3:g}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{a:g}z" fill="{_COLOURS[state]}"/>\
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\
<text x="{a / 2:g}" y="14" {fit}="{a - 12:g}">{left}</text>\
<text x="{a + b / 2:g}" y="14" {fit}="{b - 12:g}">{right}</text>\
</g></svg>
"""
