"""Retention of random jobs, by random rules, killed at any moment, against a simple model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pycurrent.store import Database, JobEnd, StateDir
from pycurrent.store.keep import Keep, Part, keep

from .past import Past

OPS, KEYS, TEXTS = "ab", "xyz", ("1" * 50, "2" * 80, "3" * 30)


class Killed(Exception):
    pass


@dataclass(frozen=True)
class Made:
    """A job, as it is drawn."""

    op: str
    key: str
    ago: int
    end: JobEnd | None
    branch: str | None
    saves: frozenset[str]
    tests: bool
    held: bool
    pinned: bool


@dataclass
class World:
    """A state directory with these jobs, and what is wanted of them."""

    past: Past
    wanted: frozenset[tuple[str, str]]
    named: str | None
    """A text that a running job names."""
    jobs: dict[str, Made] = field(default_factory=dict)

    def make(self, made: Sequence[Made]) -> None:
        for number, one in enumerate(made):
            labels = None if one.branch is None else {"branch": one.branch}
            job_id = self.past.job(
                one.op,
                one.key,
                # No two end at one time: the model sorts by that.
                ago=one.ago + (len(made) - number) / 1000,
                end=one.end,
                stage=None if labels is None else f"{one.op} {one.key}",
                labels=labels,
                saves=sorted(one.saves),
                tests=int(one.tests),
                held=one.held,
            )
            self.jobs[job_id] = one
            if one.pinned:
                self.past.pin(job_id)
        if self.named is not None:
            user = self.past.job("use", "u", end=None, ago=300)
            digest = self.past.save(user, self.named)
            self.past.database.finish_job(user, JobEnd.SUPERSEDED)
            self.past.job("use", f'["{digest}"]', end=None)

    @property
    def needed(self) -> set[str]:
        newest = {
            (one.op, one.key): job_id
            for job_id, one in self.jobs.items()
            if one.end is not None and one.end.has_result
        }
        return {
            job_id
            for job_id, one in self.jobs.items()
            if one.end is None
            or one.pinned
            or ((one.op, one.key) in self.wanted and newest.get((one.op, one.key)) == job_id)
        }

    def kept(self, rules: Sequence[Keep]) -> dict[str, set[Part]]:
        """The parts of each job that are to be there in the end."""
        counts: dict[tuple[int, str], int] = {}
        found: dict[str, set[Part]] = {}
        order = {job_id: place for place, job_id in enumerate(self.jobs)}
        for job_id, one in sorted(self.jobs.items(), key=lambda job: (job[1].ago, -order[job[0]])):
            has = {Part.LOG}
            has |= {Part.FILES} if one.saves else set()
            has |= {Part.TESTS} if one.tests else set()
            found[job_id] = has
            if one.end is None:
                continue
            places = {part: self._rule(rules, one, part) for part in Part}
            deciding = {part: place for part, place in places.items() if place is not None}
            ranks = dict[int, int]()
            for place in {*deciding.values()}:
                ranks[place] = counts.get((place, one.op), 0)
                counts[place, one.op] = ranks[place] + 1
            for part, place in deciding.items():
                if job_id in self.needed or part not in has:
                    continue
                if part is Part.FILES and self.named in one.saves:
                    continue
                rule = rules[place]
                is_last = rule.last is not None and ranks[place] < rule.last
                failed_days = one.end is not JobEnd.OK and rule.failed_days is not None
                days = rule.failed_days if failed_days else rule.days
                is_young = rule.last is None if days is None else one.ago < days
                if not (is_last or is_young):
                    has.discard(part)
        return found

    def _rule(self, rules: Sequence[Keep], one: Made, part: Part) -> int | None:
        for place, rule in enumerate(rules):
            branch = next((label.value for label in rule.labels), one.branch)
            if part in rule.of and rule.op in (None, one.op) and branch == one.branch:
                return place
        return None


ENDS = (JobEnd.OK, JobEnd.FAILED, JobEnd.SUPERSEDED, None)
MADE = st.builds(
    Made,
    op=st.sampled_from(OPS),
    key=st.sampled_from(KEYS),
    ago=st.integers(0, 30),
    end=st.sampled_from(ENDS),
    branch=st.sampled_from([None, "main", "topic"]),
    saves=st.frozensets(st.sampled_from(TEXTS)),
    tests=st.booleans(),
    held=st.booleans(),
    pinned=st.sampled_from([False, False, True]),
)
RULES = st.lists(
    st.builds(
        keep,
        op=st.sampled_from([None, *OPS]),
        labels=st.sampled_from([{}, {"branch": "main"}]),
        of=st.sampled_from([("log", "files", "tests"), ("files",), ("log", "tests")]),
        last=st.none() | st.integers(0, 3),
        days=st.none() | st.integers(0, 30),
        failed_days=st.none() | st.integers(0, 30),
    ),
    max_size=4,
)
WANTED = st.frozensets(st.tuples(st.sampled_from(OPS), st.sampled_from(KEYS)))


@given(
    made=st.lists(MADE, max_size=12),
    rules=RULES,
    wanted=WANTED,
    named=st.none() | st.sampled_from(TEXTS),
    kills=st.lists(st.integers(1, 8), max_size=3),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_all_that_nothing_keeps_goes_and_nothing_else(
    made: list[Made],
    rules: list[Keep],
    wanted: frozenset[tuple[str, str]],
    named: str | None,
    kills: list[int],
) -> None:
    """However often it is killed on the way; and shared content stays as long as one needs it."""
    with (
        TemporaryDirectory() as folder,
        StateDir.open(Path(folder)) as state,
        Database.open(state.database) as database,
    ):
        world = World(Past(state, database), wanted, named)
        world.make(sorted(made, key=lambda one: -one.ago))
        kept = world.kept(rules)
        for kill in kills:
            _collect(world, rules, after=kill)
            for job_id, parts in kept.items():
                assert parts <= world.past.parts(job_id)
        _collect(world, rules)
        assert {job_id: world.past.parts(job_id) for job_id in kept} == kept
        _check_nothing_is_left(world, kept)


def _collect(world: World, rules: Sequence[Keep], after: int | None = None) -> None:
    """Collect, and be killed when progress is told so often."""
    told = 0

    def progress(line: str) -> None:
        nonlocal told
        told += 1
        if told == after:
            raise Killed

    try:
        world.past.collect(*rules, wanted=world.wanted, progress=progress)
    except Killed:
        return


def _check_nothing_is_left(world: World, kept: dict[str, set[Part]]) -> None:
    past = world.past
    contents = {
        text for job_id, one in world.jobs.items() if Part.FILES in kept[job_id]
        for text in one.saves
    }  # fmt: skip
    assert contents <= set(past.contents)
    # What the running job names was saved by another one, for which the rules hold as well.
    assert set(past.contents) - contents <= {world.named}
    for job_id, parts in kept.items():
        logs = past.state.job_path(job_id).exists() or past.database.log(job_id) is not None
        assert logs == (Part.LOG in parts)
        assert bool(past.database.tests.of_job(job_id)) == (Part.TESTS in parts)
