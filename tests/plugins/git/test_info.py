"""Commits as people read them: author, date, subject, branch."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pycurrent.plugins import git
from pycurrent.plugins.git.info import info_of
from pycurrent.term import Failed, Ok
from pycurrent.testing import Harness

from ..repositories import Repo

Start = Callable[..., Harness]
COMMIT = git.Commit(Path("/repo/.git"), "0" * 40)


async def test_a_commit_of_a_local_repository(
    repo: Repo, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a message needs, and the branch that HEAD is on."""
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2024-02-29T12:00:00+0530")
    hash = repo.commit("Say hello\nto all\n\nIn all languages.\n")
    async with start(lambda: git.info(git.Local(repo.path).head_commit())) as harness:
        await harness.settle()
        assert harness.output == Ok(
            git.CommitInfo(
                hash,
                "Author",
                "author@example.org",
                datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
                "Say hello to all",
                "Say hello\nto all\n\nIn all languages.",
                "main",
            )
        )


@pytest.mark.parametrize(
    ("ref", "branch"), [("refs/heads/main", "main"), ("refs/tags/v1", None), ("HEAD", None)]
)
async def test_the_branch_is_that_on_which_it_was_seen(
    repo: Repo, start: Start, ref: str, branch: str | None
) -> None:
    """Neither a tag nor a detached HEAD is one."""
    repo.git("tag", "v1")
    repo.git("checkout", "--quiet", "--detach")
    found = git.Local(repo.path).commit_of_ref(ref)
    async with start(lambda: git.info(found).map(lambda info: info.branch)) as harness:
        await harness.settle()
        assert harness.output == Ok(branch)


async def test_a_news_line(repo: Repo, start: Start) -> None:
    """One line of a pipeline says who has done what."""

    def pipeline() -> Any:
        about = git.info(git.Local(repo.path).head_commit())
        return about.map(lambda it: f"{it.author} broke {it.branch}: {it.subject}")

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok("Author broke main: first")


async def test_a_commit_that_is_missing(repo: Repo, start: Start) -> None:
    """The failure says which, and where."""
    commit = git.Commit(repo.path / ".git", "1" * 40)
    async with start(lambda: git.info(commit)) as harness:
        await harness.settle()
        why = f"there is no commit {'1' * 40} in {repo.path / '.git'}"
        assert harness.output == Failed(why)


def test_hostile_and_damaged_commits() -> None:
    """Whatever stands there gives texts in one line, and never an exception."""
    text = b"tree 1\nauthor A\x1b[1m \xff<a@b> 99999999999 +9999\nencoding no-such\n\nsub\rject\n"
    info = info_of(text, COMMIT)
    assert info.author == "A [1m \ufffd"
    assert info.subject == "sub ject"
    assert info.date.year == 1970
    nothing = info_of(b"", COMMIT)
    assert (nothing.author, nothing.subject, nothing.branch) == ("", "", None)


def test_the_encoding_of_a_commit_counts() -> None:
    """Old projects have some that are not UTF-8."""
    text = b"author J\xfcrg <j@b> 1 +0000\nencoding ISO-8859-1\n\nGr\xfc\xdfe\n"
    info = info_of(text, COMMIT)
    assert (info.author, info.subject) == ("J\xfcrg", "Gr\xfc\xdfe")


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("refs/heads/feature/x", "feature/x"),
        ("refs/tags/v1.0", "v1.0"),
        ("refs/pull/7/head", "pull/7"),
        ("refs/pull/7/merge", "pull/7/merge"),
        ("refs/merge-requests/12/head", "merge-requests/12"),
        ("HEAD", "HEAD"),
    ],
)
def test_names_of_refs(ref: str, name: str) -> None:
    """As people write them."""
    assert git.CommitId("https://git.example.org/shop.git", ref, "0" * 40).name == name
