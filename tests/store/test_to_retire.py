"""The keys that are set and not retired: recorded with the jobs, and found before a commit, too."""

from pathlib import Path

from pycurrent.store import Database

from .conftest import Builds


def test_a_key_is_found_until_it_is_retired(db: Database, builds: Builds, path: Path) -> None:
    """With the job that has set it last; before the commit as after it."""
    one, two = builds.build("a"), builds.build("b")
    for job in (one, two):
        db.set_to_retire(job.op, job.key_digest, job.job_id)
    for _ in range(2):
        assert db.to_retire() == {(job.op, job.key_digest): job.job_id for job in (one, two)}
        found = db.job_to_retire(one.op, one.key_digest)
        assert found is not None
        assert found.job_id == one.job_id == db.setter(one.op, one.key_digest)
        assert found.outcome == one.outcome
        assert db.setter("frob", "another") is None
        db.commit()
    db.set_to_retire(one.op, one.key_digest, None)
    db.set_to_retire(two.op, two.key_digest, one.job_id)
    for _ in range(2):
        assert db.to_retire() == {(two.op, two.key_digest): one.job_id}
        assert db.setter(one.op, one.key_digest) is None
        assert db.job_to_retire(one.op, one.key_digest) is None
        db.commit()
    with Database.open(path) as again:
        assert again.to_retire() == {(two.op, two.key_digest): one.job_id}
