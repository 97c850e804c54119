"""The annotations of jobs in the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycurrent.store import (
    Annotation,
    AnnotationLevel,
    Database,
    StoreError,
    add_annotations,
)
from pycurrent.store.annotations import MOST

from .conftest import Builds

ONE = Annotation(
    "a.py",
    3,
    "bad \udcff",
    level=AnnotationLevel.NOTICE,
    column=4,
    end_line=5,
    title="rule",
    tool="lint",
)


def test_they_are_kept_as_they_are(path: Path) -> None:
    """In their order, with what was added before, up to a number of them."""
    with Database.open(path) as db:
        job = Builds(db).build().job_id
        db.commit()
        assert add_annotations(path, job, [ONE, Annotation(None, None, "x")]) == 2
        first, second = db.annotations.of_job(job)
        assert (first.message, second) == ("bad \\udcff", Annotation(None, None, "x"))
        assert (first.column, first.end_line, first.level) == (4, 5, AnnotationLevel.NOTICE)
        assert add_annotations(path, job, [ONE] * MOST) == MOST - 2
        assert add_annotations(path, job, [ONE]) == 0
        assert len(db.annotations.of_job(job)) == MOST


def test_a_job_without_a_record(path: Path) -> None:
    """It has none, and gets none."""
    with Database.open(path) as db:
        assert db.annotations.of_job("no/such") == []
        with pytest.raises(StoreError, match="has no record of job no/such"):
            add_annotations(path, "no/such", [ONE])


def test_they_go_with_their_job(path: Path) -> None:
    """As the row of the job does."""
    with Database.open(path) as db:
        job = Builds(db).build().job_id
        db.commit()
        add_annotations(path, job, [ONE])
        db._connection.execute("DELETE FROM job WHERE job_id = ?", (job,))
        assert db._connection.execute("SELECT count(*) FROM annotation").fetchone() == (0,)
