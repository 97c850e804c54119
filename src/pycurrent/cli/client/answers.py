"""What the API answers, as far as the commands read it.

The whole is described by `pycurrent.web.api.models`, which would take long to be imported.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Wait(TypedDict):
    reason: Literal["confirmation", "queue"]
    level: NotRequired[str]
    pool: NotRequired[str]
    place: NotRequired[int | None]


class Job(TypedDict):
    id: str
    op: str
    description: str
    state: str
    created: str
    started: str | None
    wait: Wait | None
    level: str | None
    cancelled: str | None


class Jobs(TypedDict):
    jobs: list[Job]


class Entry(TypedDict):
    id: str
    op: str
    key: str
    build: int
    level: str | None
    end: str | None
    failure: str | None
    created: str
    started: str | None
    finished: str | None
    took: float | None
    rebuild: bool


class HistoryPage(TypedDict):
    entries: list[Entry]
    next: str | None


class JobDetail(TypedDict):
    id: str
    description: str
    entry: Entry
    active: Job | None
    stages: list[str]
    actions: list[str]


class Outcome(TypedDict):
    job: str
    outcome: Literal["done", "once-needed", "refused"]
    new_job: str | None
    why: str | None


class Outcomes(TypedDict):
    outcomes: list[Outcome]
    complete: bool


class Result(TypedDict):
    state: str
    failure: str | None


class Stage(TypedDict):
    label: str
    state: str
    update: str | None
    job_id: str | None
    description: str | None
    job: Job | None
    failure: str | None


class Problem(TypedDict):
    message: str
    effect: str


class Overview(TypedDict):
    result: Result
    counts: dict[str, int]
    of_interest: dict[str, int]
    stages: list[Stage]
    jobs: int
    confirm: str | None
    problems: list[Problem]


class Operations(TypedDict):
    ops: list[str]


class Choice(TypedDict):
    level: str | None
    starts: int


class Confirmation(TypedDict):
    level: str | None
    waiting: list[Job]
    choices: list[Choice]


class Line(TypedDict):
    text: str
    cut: int


class Window(TypedDict):
    first: int
    lines: list[Line]
    total: int
    complete: int
    size: int
