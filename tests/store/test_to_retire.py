"""The keys that are set and not retired: recorded with the jobs, and found before a commit, too."""

from pathlib import Path

from pycurrent.store import Database

from .conftest import Builds


def test_a_key_is_found_until_it_is_retired(db: Database, builds: Builds, path: Path) -> None:
    """With the job that has set it last; before the commit as after it."""
    one, two = builds.build("a"), builds.build("b")
    for job in (one, two):
        db.to_retire.set((job.op, job.key_digest), job.job_id)
    for _ in range(2):
        assert db.to_retire.all() == {(job.op, job.key_digest): job.job_id for job in (one, two)}
        assert db.to_retire.setter((one.op, one.key_digest)) == one.job_id
        found = db.job_as_it_is(one.job_id)
        assert found is not None
        assert found.outcome == one.outcome
        assert db.to_retire.setter(("frob", "another")) is None
        db.commit()
    db.to_retire.set((one.op, one.key_digest), None)
    db.to_retire.set((two.op, two.key_digest), one.job_id)
    for _ in range(2):
        assert db.to_retire.all() == {(two.op, two.key_digest): one.job_id}
        assert db.to_retire.setter((one.op, one.key_digest)) is None
        db.commit()
    with Database.open(path) as again:
        assert again.to_retire.all() == {(two.op, two.key_digest): one.job_id}
