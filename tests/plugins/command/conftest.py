"""Real bubblewrap for the tests of this folder."""

import pytest

from pycurrent.plugins import git

from ...debian import MissingPart, have, missing
from ..repositories import Repo


@pytest.fixture(scope="session")
def bwrap() -> None:
    """The program is there. Otherwise the test is skipped, or fails where all have to run."""
    try:
        have({"bwrap": "bubblewrap", "unshare": "util-linux"})
    except MissingPart as why:
        missing(str(why))


@pytest.fixture
def commit(repo: Repo) -> git.Commit:
    """The first one of the repository."""
    return git.Local(repo.path).check()
