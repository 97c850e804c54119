"""What explains jobs, and what garbage collection leaves of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.store import (
    ChangeKind,
    ChangeRecord,
    Database,
    DeliveryRecord,
    FiringRecord,
    InputRecord,
    JobEnd,
    OverrideKind,
    OverrideRecord,
    StateDir,
    UseRecord,
    labels_text,
)
from pycurrent.store.deliveries import KEPT
from pycurrent.store.gc import GcMode, GcReport, collect_garbage

from ..effort import examples
from .conftest import START, created, next_build

DAY = timedelta(days=1)

Labels: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Use:
    """A stage has used a job."""

    job: str
    stage: str
    labels: Labels
    since: datetime


@dataclass(eq=False)
class Job:
    """A job that has ended."""

    id: str
    key: str
    at: datetime
    has_result: bool
    changes: tuple[int, ...]


@dataclass
class Records:
    """The simple model: lists of all that is recorded, and what has to stay of them."""

    jobs: list[Job] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    changes: dict[int, datetime] = field(default_factory=dict)
    own_changes: set[int] = field(default_factory=set)
    """The changes that the present engine has made."""
    firings: dict[int, tuple[str, datetime | None]] = field(default_factory=dict)
    """The triggers, and when they were done."""
    deliveries: dict[str, datetime | None] = field(default_factory=dict)
    """When their work was done."""
    inputs: dict[str, datetime | None] = field(default_factory=dict)
    """Until when a pipeline had each; None: it has it now."""
    values: dict[int, str] = field(default_factory=dict)
    """The inputs of those changes by which one came to have a value."""
    set_by_people: set[str] = field(default_factory=set)
    """The inputs that people have set."""
    pinned: set[int] = field(default_factory=set)
    """The changes at whose values stages are held."""

    def last(self, key: str) -> Job | None:
        """The last result of a key."""
        of_key = [job for job in self.jobs if job.key == key and job.has_result]
        return of_key[-1] if of_key else None

    def use(self, use: Use) -> None:
        """A use is recorded, unless it is the last one of its stage."""
        last = next((other for other in reversed(self.uses) if other.stage == use.stage), None)
        if last is None or (last.job, last.labels) != (use.job, use.labels):
            self.uses.append(use)

    def collect(self, limit: datetime) -> None:
        """Only what is young, or explains what stays, is left."""
        self.jobs = [job for job in self.jobs if job.at >= limit or job is self.last(job.key)]
        ids = {job.id for job in self.jobs}
        of_kept = [use for use in self.uses if use.job in ids]
        self.uses = [
            use
            for place, use in enumerate(of_kept)
            if use.since >= limit
            or not any(
                (newer.job, newer.stage) == (use.job, use.stage) and newer.since < limit
                for newer in of_kept[place + 1 :]
            )
        ]
        unused = {
            name
            for name, until in self.inputs.items()
            if until is not None and until < limit and name not in self.set_by_people
        }
        unused -= {name for name, _ in self.firings.values()}
        last = {name: change for change, name in self.values.items() if name not in unused}
        named = {change for job in self.jobs for change in job.changes}
        named |= self.own_changes | self.pinned | set(last.values())
        self.changes = {
            change: at for change, at in self.changes.items() if change in named or at >= limit
        }
        self.values = {c: name for c, name in self.values.items() if c in self.changes}
        for name in unused - set(self.values.values()):
            del self.inputs[name]
        newest = {name: id for id, (name, _) in self.firings.items()}
        self.firings = {
            id: (name, done)
            for id, (name, done) in self.firings.items()
            if done is None or done >= limit or newest[name] == id
        }
        self.deliveries = {
            id: done for id, done in self.deliveries.items() if done is None or done >= limit
        }


class Site:
    """A state directory with an engine, and the model of what that has recorded."""

    def __init__(self, folder: Path) -> None:
        self._open = ExitStack()
        self.state = self._open.enter_context(StateDir.open(folder))
        self.now = START
        self.database = Database.open(self.state.database, now=self.now)
        self.records = Records()

    def close(self) -> None:
        self.database.close()
        self._open.close()

    def restart(self) -> None:
        """Have another engine open the database."""
        self.database.close()
        self.now += timedelta(seconds=1)
        self.database = Database.open(self.state.database, now=self.now)
        self.records.own_changes = set()
        inputs = self.records.inputs
        self.records.inputs = {name: inputs[name] or self.now for name in inputs}

    def change(self) -> int:
        """Something has changed."""
        number = self.database.change_tables.new_id()
        self.database.change_tables.set(
            ChangeRecord(id=number, at=self.now, kind=ChangeKind.TIMER, summary="it is late")
        )
        self.records.changes[number] = self.now
        self.records.own_changes.add(number)
        return number

    def have(self, name: str) -> None:
        """The pipeline has an input, which has the value that it had."""
        if self.database.change_tables.input(name) is not None:
            self.records.inputs[name] = None

    def value(self, name: str) -> int:
        """An input has another value."""
        text = str(len(self.records.changes))
        number = input_value(self, text, name)
        self.records.changes[number] = self.now
        self.records.own_changes.add(number)
        self.records.values[number] = name
        self.records.inputs[name] = None
        return number

    def set_by_person(self, name: str, *, is_set: bool = True) -> None:
        """Somebody sets an input, or does so no longer."""
        record = OverrideRecord(kind=OverrideKind.INPUT, subject=name, value="1", at=self.now)
        if is_set:
            self.database.set_override(record)
            self.records.set_by_people.add(name)
        else:
            self.database.remove_override(record.key)
            self.records.set_by_people.discard(name)

    def pin(self, number: int) -> None:
        """A stage is held at the value of a change, in place of others."""
        change = self.database.change(number)
        assert change is not None
        pin = OverrideRecord(kind=OverrideKind.PIN, subject="web", value=change.new, at=self.now)
        self.database.set_override(pin)
        self.records.pinned = {number}

    def run(self, key: str, changes: tuple[int, ...] = (), *, has_result: bool = True) -> Job:
        """Run a job, to its end."""
        job_id = self.state.new_job_id("frob", self.now)
        build = next_build(self.database, "frob", key)
        record = created(job_id, key=key, key_digest=key, build=build, when=self.now)
        record.changes = self.database.change_tables.set_of(changes)
        self.database.insert_job(record)
        if has_result:
            self.database.finish_job(job_id, JobEnd.OK, finished=self.now, outcome="1")
        else:
            self.database.finish_job(job_id, JobEnd.SUPERSEDED, finished=self.now)
        job = Job(job_id, key, self.now, has_result, changes)
        self.records.jobs.append(job)
        return job

    def use(self, job: Job, stage: str, labels: Labels = ()) -> None:
        """Have a stage use a job."""
        self.database.add_use(UseRecord(job.id, stage, labels_text(dict(labels)), self.now))
        self.records.use(Use(job.id, stage, labels, self.now))

    def fire(self, name: str) -> int:
        """Fire a trigger."""
        number = max(self.records.firings, default=0) + 1
        self._set_firing(number, name, None)
        return number

    def end_firing(self, number: int) -> None:
        """Its stages are final."""
        self._set_firing(number, self.records.firings[number][0], self.now)

    def _set_firing(self, number: int, name: str, done: datetime | None) -> None:
        self.database.set_firing(
            FiringRecord(
                id=number, name=name, params="{}", by=None, at=self.now, reason=None, done=done
            )
        )
        self.records.firings[number] = name, done

    def deliver(self, *, is_done: bool) -> None:
        """A webhook delivers something, which asks for work or not."""
        id, done = f"d-{self.now}-{is_done}", self.now if is_done else None
        self.database.deliveries.set(
            DeliveryRecord(sender="forge", id=id, event="push", received=self.now, done=done)
        )
        self.records.deliveries.setdefault(id, done)

    def collect(self, days: int) -> GcReport:
        """Collect garbage, and compare what is left with the model, and with a dry run."""
        self.database.commit()
        told, done = (
            collect_garbage(self.state, older_than=days * DAY, now=self.now, mode=mode)
            for mode in (GcMode.DRY_RUN, GcMode.DELETE)
        )
        self.records.collect(self.now - days * DAY)
        assert (told.jobs_of, +told.explanations) == (done.jobs_of, +done.explanations)
        self.compare()
        return done

    def compare(self) -> None:
        """Compare the tables with the model: nothing is missing, and nothing is left over."""
        records = self.records
        uses = [(use.job, use.stage, labels_text(dict(use.labels))) for use in records.uses]
        assert uses == self.rows(
            "SELECT job_id, path, label_set.labels FROM job_use JOIN job ON seq = job JOIN stage"
            " ON stage.id = stage LEFT JOIN label_set ON label_set.id = job_use.labels"
            " ORDER BY job_use.id"
        )
        assert self.column("SELECT path FROM stage") == {stage for _, stage, _ in uses}
        sets = {labels for _, _, labels in uses if labels is not None}
        assert self.column("SELECT labels FROM label_set") == sets
        pairs = {pair for use in records.uses for pair in use.labels}
        assert {row[:2] for row in self.rows("SELECT name, value FROM label")} == pairs
        labels = sum(len(use) for use in {use.labels for use in records.uses})
        assert len(self.rows("SELECT * FROM label")) == labels
        assert self.column("SELECT id FROM change") == set(records.changes)
        assert self.column("SELECT id FROM firing") == set(records.firings)
        over = {id for id, done in records.deliveries.items() if done and done < self.now - KEPT}
        kept = self.column("SELECT delivery FROM delivery")
        assert kept | over == set(records.deliveries) | over
        assert self.column("SELECT name FROM input") == set(records.inputs)
        values = self.rows(
            "SELECT change.id, name FROM change JOIN input ON input.id = input ORDER BY 1"
        )
        assert values == [*records.values.items()]
        named = {change for job in records.jobs for change in job.changes} | records.own_changes
        assert self.column("SELECT change FROM change_set") <= named
        for job in records.jobs:
            changes = tuple(c.id for c in reversed(self.database.changes_of_job(job.id)))
            assert changes == job.changes

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.state.database)) as connection:
            return connection.execute(query).fetchall()

    def column(self, query: str) -> set[object]:
        return {value for (value,) in self.rows(query)}


@contextmanager
def site_in(folder: Path) -> Iterator[Site]:
    site = Site(folder)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


WEB, API = (("repo", "web"),), (("branch", "main"), ("repo", "api"))


def test_what_explained_a_removed_job_goes_with_it(site: Site) -> None:
    """Its stages, labels and changes, unless a job that is kept has them, too."""
    one, two = site.change(), site.change()
    old = site.run("a", (one,))
    site.use(old, "gone", API)
    site.use(old, "gone", WEB)
    site.use(old, "build", API)
    site.now += DAY
    kept = site.run("a", (two,))
    site.use(kept, "build", API)
    site.restart()
    site.now += 100 * DAY
    report = site.collect(90)
    assert {kind.name: count for kind, count in (+report.explanations).items()} == {
        "stage": 1,
        "set of labels": 1,
        "set of changes": 1,
        "change": 1,
    }
    assert [use.stage for use in site.database.uses_of_job(kept.id)] == ["build"]
    assert [change.id for change in site.database.changes_of_job(kept.id)] == [two]


def test_of_a_kept_job_each_stage_keeps_its_newest_old_use(site: Site) -> None:
    """A job that is used for years by stages with ever other labels has no ever longer record."""
    job = site.run("a")
    for n in range(100):
        site.use(job, "build", (("commit", str(n)),))
        site.use(job, "check")
        site.now += DAY
    report = site.collect(10)
    assert {kind.name: count for kind, count in (+report.explanations).items()} == {
        "use of a job": 89,
        "set of labels": 89,
    }
    newest, *_, oldest, check = site.database.uses_of_job(job.id)
    assert (newest.read_labels(), oldest.read_labels()) == ({"commit": "99"}, {"commit": "89"})
    assert check.stage == "check"


def test_the_changes_of_the_present_engine_stay(site: Site) -> None:
    """It has their numbers in memory, and may start a job that follows from them."""
    earlier = site.change()
    site.restart()
    own, unused = site.change(), site.change()
    gone = site.run("a", (own,))
    site.run("a")
    site.now += 100 * DAY
    site.collect(90)
    assert site.database.change(earlier) is None
    assert site.database.change(unused) is not None
    assert site.database.job(gone.id) is None
    # It takes the set of the first job, which is not written again.
    job = site.run("b", (own,))
    assert [change.id for change in site.database.changes_of_job(job.id)] == [own]
    site.compare()


def test_numbers_that_are_given_again_hurt_nobody(site: Site) -> None:
    """Those of the newest rows, once these are gone."""
    job = site.run("a", (site.change(),))
    site.use(job, "build", WEB)
    site.run("a")
    site.restart()
    site.now += 100 * DAY
    site.collect(90)
    site.restart()
    job = site.run("b", (site.change(),))
    site.use(job, "check", API)
    site.now += 100 * DAY
    site.collect(90)
    (use,) = site.database.uses_of_job(job.id)
    assert (use.stage, use.read_labels()) == ("check", dict(API))


def test_firings_that_are_done_go_but_the_newest(site: Site) -> None:
    """The pipeline shows that one; and one that is pending may still have to run."""
    done, pending, newest = (site.fire("deploy") for _ in range(3))
    site.end_firing(done)
    site.end_firing(newest)
    site.now += 100 * DAY
    report = site.collect(90)
    assert {kind.name: count for kind, count in (+report.explanations).items()} == {"firing": 1}
    assert [firing.id for firing in site.database.firings()] == [pending, newest]


def test_an_input_that_no_pipeline_has_had_for_long_goes(site: Site) -> None:
    """With its last value. What an engine has had may have been there until the next one began."""
    for name in ("gone", "kept", "set", "fired", "held"):
        site.value(name)
    site.set_by_person("set")
    site.fire("fired")
    site.pin(site.value("held"))
    site.now += 100 * DAY
    site.restart()
    site.have("kept")
    site.collect(90)
    assert len(site.records.inputs) == 5
    site.now += 100 * DAY
    report = site.collect(90)
    assert {kind.name: count for kind, count in (+report.explanations).items()} == {
        "change": 1,
        "input": 1,
    }
    assert set(site.records.inputs) == {"kept", "set", "fired", "held"}
    site.set_by_person("set", is_set=False)
    site.collect(90)
    assert site.database.change_tables.input("set") is None
    site.value("gone")
    site.collect(90)
    assert set(site.records.inputs) == {"gone", "kept", "fired", "held"}


STEPS = st.one_of(
    st.tuples(st.just("run"), st.sampled_from("ab"), st.booleans()),
    st.tuples(
        st.just("use"),
        st.sampled_from("ab"),
        st.sampled_from(["build", "check"]),
        st.sampled_from([(), WEB, API]),
    ),
    st.tuples(st.sampled_from(["change", "restart"])),
    st.tuples(st.just("fire"), st.sampled_from("xy")),
    st.tuples(st.sampled_from(["have", "value", "set", "unset"]), st.sampled_from("xyz")),
    st.tuples(st.just("pin"), st.integers(0, 5)),
    st.tuples(st.just("deliver"), st.booleans()),
    st.tuples(st.just("end firing"), st.integers(0, 3)),
    st.tuples(st.just("pass"), st.integers(1, 5)),
    st.tuples(st.just("collect"), st.integers(0, 10)),
)


@settings(max_examples=examples(80))
@given(st.lists(STEPS, max_size=40))
def test_after_it_every_kept_job_is_explained_as_before(steps: list[tuple[object, ...]]) -> None:
    """And nothing that no kept job needs is left: compared with a simple model."""
    with TemporaryDirectory() as folder, site_in(Path(folder)) as site:
        for step in steps:
            take(site, step)
        site.collect(3)


def take(site: Site, step: tuple[object, ...]) -> None:
    """Take one step at a site."""
    records = site.records
    match step:
        case "run", str(key), bool(has_result):
            own = tuple(change for change in records.changes if change in records.own_changes)
            site.run(key, own[-2:], has_result=has_result)
        case "use", str(key), str(stage), tuple(labels):
            if (job := records.last(key)) is not None:
                site.use(job, stage, labels)
        case ("change",):
            site.change()
        case ("restart",):
            site.restart()
        case "fire", str(name):
            site.fire(name)
        case "have", str(name):
            site.have(name)
        case "value", str(name):
            site.value(name)
        case "set" | "unset", str(name):
            site.set_by_person(name, is_set=step[0] == "set")
        case "pin", int(number):
            if number < len(records.values):
                site.pin([*records.values][number])
        case "deliver", bool(is_done):
            site.deliver(is_done=is_done)
        case "end firing", int(number):
            pending = [id for id, (_, done) in records.firings.items() if done is None]
            if number < len(pending):
                site.end_firing(pending[number])
        case "pass", int(days):
            site.now += days * DAY
        case "collect", int(days):
            site.collect(days)
        case _:
            raise AssertionError(step)


def input_value(site: Site, text: str, name: str = "head") -> int:
    """The number of the change by which an input came to have a value."""
    tables = site.database.change_tables
    tables.set_input(InputRecord(name, text, text, site.now))
    number = tables.new_id()
    tables.set(
        ChangeRecord(
            id=number,
            at=site.now,
            kind=ChangeKind.INPUT,
            input=name,
            new=text,
            summary=text,
            value=text,
        )
    )
    return number


def test_values_at_which_a_stage_can_be_held_stay(tmp_path: Path) -> None:
    """That is the last one of each input; and those at which one is held."""
    site = Site(tmp_path)
    numbers = [input_value(site, text) for text in "1234"]
    last_of_other = input_value(site, "1", "other")
    pin = OverrideRecord(kind=OverrideKind.PIN, subject="web", value="3", at=site.now)
    site.database.set_override(pin)
    site.restart()
    site.have("head")
    site.have("other")
    site.database.commit()
    for mode, left in ((GcMode.DRY_RUN, numbers), (GcMode.DELETE, numbers[2:])):
        report = collect_garbage(site.state, older_than=DAY, now=site.now + 2 * DAY, mode=mode)
        assert sum(report.explanations.values()) == 2
        found = site.database.input_values("head")
        assert [value.change for value in reversed(found)] == left
    assert [value.change for value in site.database.input_values("other")] == [last_of_other]
    site.close()
