"""What rules of retention let go of jobs whose records stay, and what is never removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import Database, JobEnd, StateDir
from pycurrent.store.gc import GcMode
from pycurrent.store.keep import Part, Retention, keep, retention

from .past import Past

ALL = set(Part)


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    with StateDir.open(tmp_path) as state, Database.open(state.database) as database:
        yield Past(state, database)


def test_all_parts_of_a_job_go_and_its_record_stays(past: Past) -> None:
    """With the rule, and the counts of its tests."""
    job = past.job(saves=["x"], tests=25)
    assert past.parts(job) == ALL
    report = past.collect(keep(days=90))
    assert past.parts(job) == set()
    assert past.contents == []
    removed = past.database.removed(job)
    assert [(one.part, one.rule) for one in removed] == [
        (part, "keep(days=90)") for part in (Part.FILES, Part.LOG, Part.TESTS)
    ]
    assert past.database.job(job) is not None
    counts = past.database.tests.counts(job)
    assert counts is not None
    assert counts.failed == 25
    assert report.parts[Part.LOG].bytes == 7


@pytest.mark.parametrize(("remarks", "covered"), [(3, 0), (0, 5)])
def test_all_reports_go_as_tests_do(past: Past, remarks: int, covered: int) -> None:
    """Also where a job has run no tests. The figures of its coverage stay, for the trend."""
    job = past.job(remarks=remarks, covered=covered)
    past.collect(keep(of="tests", days=90))
    assert past.parts(job) == {Part.LOG}
    assert [one.part for one in past.database.removed(job)] == [Part.TESTS]
    found = past.database.coverage.of_job(job)
    assert (0 if found is None else found.coverage.covered) == covered
    again = past.collect(keep(of="tests", days=90))
    assert Part.TESTS not in again.parts


def test_without_rules_nothing_goes(past: Past) -> None:
    """However old it is."""
    job = past.job(ago=5000, saves=["x"], tests=1)
    past.collect()
    assert past.parts(job) == ALL


@pytest.mark.parametrize("held", [True, False])
def test_a_log_goes_from_its_row_and_from_its_file(past: Past, held: bool) -> None:
    """And its bytes count either way."""
    job = past.job(held=held)
    report = past.collect(keep(days=90))
    assert past.parts(job) == set()
    assert report.log_bytes == 7


def test_the_last_jobs_of_each_operation_are_kept(past: Past) -> None:
    """Of those that the rule is for."""
    jobs = {
        op: [past.job(op, str(n), ago=100 - n) for n in range(4)] for op in ("build", "test", "x")
    }
    past.collect(keep(op="[bt]*", last=2))
    kept = {op: [past.parts(job) == {Part.LOG} for job in of_op] for op, of_op in jobs.items()}
    assert kept == {"build": [False] * 2 + [True] * 2, "test": [False] * 2 + [True] * 2,
                    "x": [True] * 4}  # fmt: skip


def test_the_first_rule_that_matches_decides(past: Past) -> None:
    """So one for few jobs can be shorter than the one for all; and jobs that an earlier rule has
    decided don't count for a later one.
    """
    docker = [past.job("docker", str(n), ago=20 - n) for n in range(2)]
    other = past.job("other", ago=20)
    past.collect(keep(op="docker", days=7), keep(days=90, last=1))
    assert [past.parts(job) for job in docker] == [set(), set()]
    assert past.parts(other) == {Part.LOG}


def test_failures_have_days_of_their_own(past: Past) -> None:
    """Other ends without a good result count as such."""
    bad = (JobEnd.FAILED, JobEnd.CANCELLED, JobEnd.INTERRUPTED)
    failed = [past.job(key=end.value, ago=20, end=end) for end in bad]
    good = past.job(key="ok", ago=20)
    past.collect(keep(days=90, failed_days=14))
    assert [past.parts(job) for job in failed] == [set()] * 3
    assert past.parts(good) == {Part.LOG}


def test_the_last_are_kept_however_old_they_are(past: Past) -> None:
    """Failed ones too."""
    jobs = [past.job(key=str(n), ago=200 - n, end=JobEnd.FAILED) for n in range(3)]
    past.collect(keep(last=2, days=90, failed_days=14))
    assert [bool(past.parts(job)) for job in jobs] == [False, True, True]


def test_a_rule_for_labels(past: Past) -> None:
    """Of one stage that has used the job, all of them."""
    main = past.job(key="1", stage="1", labels={"branch": "main", "repo": "web"})
    other = past.job(key="2", stage="2", labels={"branch": "topic", "repo": "web"})
    none = past.job(key="3", stage="3")
    past.collect(keep(labels={"branch": "ma*", "repo": "web"}), keep(days=7))
    assert [bool(past.parts(job)) for job in (main, other, none)] == [True, False, False]


def test_a_rule_for_some_parts(past: Past) -> None:
    """The other parts are left to the next rule."""
    job = past.job(ago=20, saves=["x"], tests=1)
    past.collect(keep(of="files", days=7), keep(days=90))
    assert past.parts(job) == {Part.LOG, Part.TESTS}


def test_the_newest_result_of_a_wanted_key_is_kept(past: Past) -> None:
    """And no other one; a run without a result is none."""
    older, newest = (past.job(saves=[text]) for text in "xy")
    broken_off = past.job(end=JobEnd.SUPERSEDED)
    unwanted = past.job(key="b")
    past.collect(keep(days=90), wanted=[("build", "a")])
    kept = [past.parts(job) for job in (older, newest, broken_off, unwanted)]
    assert kept == [set(), {Part.LOG, Part.FILES}, set(), set()]


def test_another_process_keeps_what_stages_used_last(past: Past) -> None:
    """It does not know what is wanted now."""
    replaced = past.job(key="1", stage="s")
    last = past.job(key="2", stage="s")
    made_again = past.job(key="2", ago=95)
    past.collect(keep(days=90), wanted=None)
    kept = [bool(past.parts(job)) for job in (replaced, last, made_again)]
    assert kept == [False, False, True]


def test_what_is_held_is_kept(past: Past) -> None:
    """A pin, a job that is to be retired, and one that has not ended."""
    pinned, setter, running = past.job(key="1"), past.job(key="2"), past.job(key="3", end=None)
    past.pin(pinned)
    past.database.to_retire.set(("build", "2"), setter)
    past.database.commit()
    past.collect(keep(days=90))
    assert [bool(past.parts(job)) for job in (pinned, setter, running)] == [True] * 3


def test_files_that_a_running_job_names_are_kept(past: Past) -> None:
    """As long as it has not ended."""
    maker = past.job(saves=["x"])
    (saved,) = past.database.saved.of_job(maker)
    user = past.job("use", f'{{"digest":"{saved.digest}"}}', end=None)
    past.collect(keep(days=90))
    assert past.parts(maker) == {Part.FILES}
    past.database.finish_job(user, JobEnd.SUPERSEDED)
    past.database.commit()
    past.collect(keep(days=90))
    assert past.parts(maker) == set()


def test_content_goes_with_the_last_job_that_has_saved_it(past: Past) -> None:
    """What another one needs stays."""
    past.job(key="1", saves=["shared", "own"])
    past.job(key="2", saves=["shared"], ago=3)
    past.collect(keep(days=90))
    assert past.contents == ["shared"]


def test_the_maker_of_removed_files_is_still_known(past: Past) -> None:
    """So they are made again where somebody needs them."""
    job = past.job(saves=["x"])
    (saved,) = past.database.saved.of_job(job)
    past.collect(keep(days=90))
    assert past.database.saved.savers(saved.digest) == [job]
    assert past.database.saved.by_operation() == []


def test_the_oldest_files_go_first_until_they_fit(past: Past) -> None:
    """Content that a newer job has saved too costs nothing more. Logs stay."""
    jobs = [past.job(key=str(n), ago=9 - n, saves=[f"{n}" * 100, "shared"]) for n in range(4)]
    report = past.collect(max_size=250)
    assert [Part.FILES in past.parts(job) for job in jobs] == [False, False, True, True]
    assert all(Part.LOG in past.parts(job) for job in jobs)
    assert sum(map(len, past.contents)) == 206
    assert report.content_bytes == 200


def test_needed_files_count_and_are_kept(past: Past) -> None:
    """Also where they take more than is allowed."""
    needed = past.job(ago=50, saves=["n" * 300])
    free = past.job(key="b", ago=1, saves=["f"])
    past.collect(max_size=250, wanted=[("build", "a")])
    assert (Part.FILES in past.parts(needed), Part.FILES in past.parts(free)) == (True, False)


def test_a_dry_run_tells_what_a_run_does(past: Past) -> None:
    """By rule, part and operation; and it changes nothing."""
    jobs = [past.job(key=str(n), ago=100 - n, saves=[f"{n}"], tests=3, held=n % 2 == 0)
            for n in range(4)]  # fmt: skip
    rules = keep(of="files", last=1), keep(last=2)
    told = past.collect(*rules, mode=GcMode.DRY_RUN, max_size=0)
    assert [past.parts(job) for job in jobs] == [ALL] * 4
    done = past.collect(*rules, max_size=0)
    assert told.taken == done.taken
    assert (told.logs, told.log_bytes, told.contents) == (done.logs, done.log_bytes, done.contents)
    assert [len(past.parts(job)) for job in jobs] == [0, 0, 2, 2]


class Killed(Exception):
    pass


@pytest.mark.parametrize("held", [True, False])
def test_a_run_that_is_killed_is_gone_on_with(past: Past, held: bool) -> None:
    """Wherever that was, nothing of it is left in the end, and all of it is recorded."""
    for kill in range(1, 12):
        job = past.job(key=str(kill), saves=[f"{kill}"], tests=1, held=held)
        told = 0

        def progress(line: str, kill: int = kill) -> None:
            nonlocal told
            told += 1
            if told == kill:
                raise Killed

        with suppress(Killed):
            past.collect(keep(days=90), progress=progress)
        past.collect(keep(days=90))
        assert not past.state.job_path(job).exists()
        assert past.database.log(job) is None
        assert past.database.tests.of_job(job) == []
        assert {one.part for one in past.database.removed(job)} == ALL
        assert past.contents == []


def test_a_rule_for_an_operation_that_nothing_has(past: Past) -> None:
    """Is told: it may be misspelt."""
    past.job()
    report = past.collect(keep(op="biuld", days=1), keep(op="bui*"), keep(labels={"a": "b"}))
    assert report.unmatched == ['keep(op="biuld", days=1)']


def test_empty_days_go(past: Past) -> None:
    """The folders of logs that are empty then."""
    job = past.job()
    report = past.collect(keep(days=90))
    assert report.folders == 1
    assert not past.state.job_path(job).parent.exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"days": -1}, "days= takes a number of days, 0 or more, not -1"),
        ({"failed_days": "3"}, "failed_days= takes a number of days, 0 or more, not '3'"),
        ({"last": 1.5}, "last= takes a number of jobs, 0 or more, not 1.5"),
        ({"last": True}, "last= takes a number of jobs"),
        ({"op": ""}, "op= takes the id of an operation, or a glob, not ''"),
        ({"labels": "branch=main"}, 'labels= takes texts by names, {"branch": "main"}, not'),
        ({"labels": {"branch": 1}}, "labels= takes texts by names"),
        ({"of": "cases"}, "of= takes some of log, files, tests, not 'cases'"),
        ({"of": []}, "of= takes some of"),
    ],
)
def test_what_makes_no_rule(given: dict[str, object], message: str) -> None:
    """Is an error that says what is expected."""
    with pytest.raises((UsageError, WrongKind)) as error:
        keep(**given)  # type: ignore[arg-type]
    assert message in str(error.value)


def test_rules_are_kept_as_text() -> None:
    """For other processes, with all that is in them."""
    rules = [
        keep(op="docker-*", labels={"branch": "main"}, of=["log", "tests"], last=3, days=1.5),
        keep(failed_days=14),
    ]
    given = retention(rules, "50G")
    assert Retention.parse(given.text) == given
    assert Retention.parse(None) == Retention.parse("") == Retention()
    assert [str(rule) for rule in rules] == [
        'keep(op="docker-*", labels={"branch": "main"}, of=["log", "tests"], last=3, days=1.5)',
        "keep(failed_days=14)",
    ]


@pytest.mark.parametrize(
    ("rules", "size", "message"),
    [
        (keep(days=3), None, "takes a list of rules: write [keep(days=3)]"),
        (["90d"], None, "takes rules such as keep(days=90), not '90d'"),
        (90, None, "takes a list of rules, such as [keep(days=90)], not 90"),
        ([], "lots", "files_max_size= takes bytes, or a text such as '500M' or '50G', not 'lots'"),
    ],
)
def test_what_is_no_retention(rules: object, size: object, message: str) -> None:
    """Is an error that says what is expected."""
    with pytest.raises((UsageError, WrongKind)) as error:
        retention(rules, size)
    assert message in str(error.value)
