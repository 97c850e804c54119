"""The answers of the API, as far as the commands read them.

`pycurrent.web.api.models` describes them in full, but takes long to import.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class WaitAnswer(TypedDict):
    reason: Literal["confirmation", "pause", "queue"]
    level: NotRequired[str]
    what: NotRequired[str]
    words: NotRequired[str]
    pool: NotRequired[str]
    place: NotRequired[int | None]


class JobAnswer(TypedDict):
    id: str
    op: str
    description: str
    state: str
    created: str
    started: str | None
    wait: WaitAnswer | None
    level: str | None
    cancelled: str | None
    labels: dict[str, str]
    runs_at: str | None


class JobsAnswer(TypedDict):
    jobs: list[JobAnswer]
    next: str | None
    total: int


class EntryAnswer(TypedDict):
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
    kind: str | None
    cause: str | None
    because: str | None
    paths: list[str]
    labels: dict[str, str]
    pool: str | None
    ran_at: str | None
    cpu: float | None
    memory: int | None


class HistoryPageAnswer(TypedDict):
    entries: list[EntryAnswer]
    next: str | None
    complete: bool


class RemovedPartAnswer(TypedDict):
    part: Literal["log", "files", "tests"]
    at: str
    rule: str


class JobDetailAnswer(TypedDict):
    id: str
    description: str
    entry: EntryAnswer
    active: JobAnswer | None
    stages: list[str]
    actions: list[str]
    removed: list[RemovedPartAnswer]


class OutcomeAnswer(TypedDict):
    job: str
    outcome: Literal["done", "once-needed", "would-be-done", "refused"]
    new_job: str | None
    why: str | None
    description: NotRequired[str | None]


class OutcomesAnswer(TypedDict):
    outcomes: list[OutcomeAnswer]
    complete: bool


class StageOutcomeAnswer(TypedDict):
    stage: str
    outcome: Literal["done", "would-be-done", "refused"]
    why: str | None


class StageOutcomesAnswer(TypedDict):
    outcomes: list[StageOutcomeAnswer]
    complete: bool


class ResultAnswer(TypedDict):
    state: str
    failure: str | None


class StageAnswer(TypedDict):
    path: str
    label: str
    state: str
    update: str | None
    job_id: str | None
    description: str | None
    job: JobAnswer | None
    failure: str | None
    note: str | None
    others: NotRequired[int]


class HealthAnswer(TypedDict):
    state: str
    failing: bool
    since: str | None
    job: str | None


class FoundStageAnswer(TypedDict):
    path: str
    label: str
    labels: dict[str, str]
    state: str
    update: str | None
    job_id: str | None
    failure: str | None
    note: str | None
    muted: bool
    final: bool
    health: HealthAnswer | None


class StagesAnswer(TypedDict):
    stages: list[FoundStageAnswer]
    complete: bool


class ProblemAnswer(TypedDict):
    message: str
    effect: str


class OverviewAnswer(TypedDict):
    result: ResultAnswer
    counts: dict[str, int]
    of_interest: dict[str, int]
    stages: list[StageAnswer]
    jobs: int
    confirm: str | None
    problems: list[ProblemAnswer]


class OperationsAnswer(TypedDict):
    ops: list[str]


class InputAnswer(TypedDict):
    name: str
    value: object
    by: str | None
    at: str | None
    reason: str | None
    failure: str | None


class PinAnswer(TypedDict):
    path: str
    value: str
    by: str | None
    at: str
    reason: str | None
    until: str | None
    job: str | None
    in_force: bool
    alike: list[str]


class PinsAnswer(TypedDict):
    pins: list[PinAnswer]


class ValueAnswer(TypedDict):
    value: str
    at: str | None
    change: int | None
    job: str | None


class ValuesAnswer(TypedDict):
    values: list[ValueAnswer]


class InputsAnswer(TypedDict):
    inputs: list[InputAnswer]


class FiringAnswer(TypedDict):
    id: int
    params: dict[str, object]
    by: str | None
    at: str
    reason: str | None
    done: str | None


class FieldAnswer(TypedDict):
    name: str
    type: str
    default: str | None


class TriggerAnswer(TypedDict):
    name: str
    fields: list[FieldAnswer]
    newest: FiringAnswer | None
    pending: list[FiringAnswer]


class PauseAnswer(TypedDict):
    what: str
    by: str | None
    at: str
    reason: str | None
    until: str | None
    alike: list[str]


class PausesAnswer(TypedDict):
    pauses: list[PauseAnswer]


class ApprovalAnswer(TypedDict):
    commit: str
    by: str | None
    at: str
    reason: str | None


class TakenAnswer(TypedDict):
    rule: str
    part: Literal["log", "files", "tests"]
    op: str
    jobs: int
    bytes: int


class RemovalAnswer(TypedDict):
    taken: list[TakenAnswer]
    log_bytes: int
    files: int
    file_bytes: int
    unmatched: list[str]
    failures: list[str]


class RetentionAnswer(TypedDict):
    rules: list[str]
    files_max_size: int | None
    at_work: bool
    next: str | None
    ran: str | None
    took: float | None
    removed: RemovalAnswer | None


class ApprovalsAnswer(TypedDict):
    approvals: list[ApprovalAnswer]


class MuteAnswer(TypedDict):
    what: str
    by: str | None
    owner: str
    at: str
    reason: str
    until: str
    passes: int


class VerificationAnswer(TypedDict):
    jobs: list[str]


class MutesAnswer(TypedDict):
    mutes: list[MuteAnswer]


class TriggersAnswer(TypedDict):
    triggers: list[TriggerAnswer]


class FiredAnswer(TypedDict):
    id: int


class Choice(TypedDict):
    level: str | None
    starts: int


class ConfirmationAnswer(TypedDict):
    level: str | None
    waiting: list[JobAnswer]
    total: int
    choices: list[Choice]


class Line(TypedDict):
    text: str
    cut: int


class WindowAnswer(TypedDict):
    first: int
    lines: list[Line]
    total: int
    complete: int
    size: int


class WhyAnswer(TypedDict):
    stage: str | None
    job: str | None
    state: str
    text: list[str]
    reasons: list[dict[str, object]]
    health: HealthAnswer | None


class ExplanationAnswer(TypedDict):
    job: str
    state: str
    text: list[str]


class FailuresAnswer(TypedDict):
    groups: list[dict[str, Any]]


class FailingAnswer(TypedDict):
    stage: str
    message: str | None
    job: str | None
    kind: str
    lines: list[str]
    attempts: int
    behind: int
    health: HealthAnswer | None


class FailingNowAnswer(TypedDict):
    stages: list[FailingAnswer]
    complete: bool


class ChangeAnswer(TypedDict):
    id: int
    at: str
    kind: str
    input: str | None
    old: str | None
    new: str | None
    by: str | None
    summary: str
    parts: list[str]
    jobs: int


class ChangesAnswer(TypedDict):
    changes: list[ChangeAnswer]
    next: int | None


class FollowedAnswer(TypedDict):
    change: ChangeAnswer
    jobs: list[EntryAnswer]


class HolderAnswer(TypedDict):
    job: str
    description: str
    since: str
    runs_at: str | None


class QueuedAnswer(TypedDict):
    job: str
    description: str
    place: int
    since: str | None
    expected: float | None


class AtWorkAnswer(TypedDict):
    job: str
    description: str
    waits: list[str]


class PoolAnswer(TypedDict):
    label: str
    capacity: int | None
    used: int | None
    queue: int
    holding: int
    holders: list[HolderAnswer]
    waiting: list[QueuedAnswer]


class PoolsAnswer(TypedDict):
    pools: list[PoolAnswer]
    at_work: list[AtWorkAnswer]


class TimelineJobAnswer(TypedDict):
    job: EntryAnswer
    waited: float
    critical: bool


class TimelineAnswer(TypedDict):
    jobs: list[TimelineJobAnswer]
    begin: str | None
    end: str | None
    expected_end: str | None


class DiffLineAnswer(TypedDict):
    old: int | None
    new: int | None
    text: str


class HunkAnswer(TypedDict):
    lines: list[DiffLineAnswer]


class ComparisonAnswer(TypedDict):
    job: str
    other: str
    hunks: list[HunkAnswer]
    whole: bool
    more: int


class AppliedAnswer(TypedDict):
    looked_at: int
    changed: int
    reworded: int
    complete: bool
