from collections.abc import Iterator
from pathlib import Path

from ..plugins.repositories import Repo
from .run import example, running

GOOD = "grep good file.txt"
OPTIONS: tuple[str | Path, ...] = (
    *("--repo", "project", "--out", "out", "--state-dir", "state"),
    *("--checks.good", GOOD, "--checks.there", "test -f file.txt"),
    *("--package", "cp file.txt OUT"),
)


def wait_for(lines: Iterator[str], *wanted: tuple[str, str]) -> None:
    """Read until these stages are said to have come to these states, in any order."""
    missing: set[tuple[str, ...]] = set(wanted)
    while missing:
        missing -= {tuple(next(lines).split()[2:4])}


def test_it_packs_what_has_passed_and_says_so(project: Repo, tmp_path: Path) -> None:
    """All checks pass, the package is made, and the page shows both."""
    commit = project.commit("good <1>", file_txt="good <1>")
    done = example("local_ci.py", *OPTIONS, "--once", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "file.txt").read_text() == "good <1>"
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count(">passed<") == 3
    assert f"project {commit[:10]}" in page
    assert "good &lt;1&gt;" in page


def test_what_has_failed_is_not_packed(project: Repo, tmp_path: Path) -> None:
    """A check fails: exit status 1, no package, and the page says why."""
    project.commit("bad", file_txt="bad")
    done = example("local_ci.py", *OPTIONS, "--once", cwd=tmp_path)
    assert done.returncode == 1
    assert not (tmp_path / "out" / "file.txt").exists()
    page = (tmp_path / "out" / "index.html").read_text()
    assert f"{GOOD} exited with status 1" in page
    assert "waits for the checks" in page


def test_a_second_run_has_nothing_to_do(project: Repo, tmp_path: Path) -> None:
    """What is known is not run again, by a new process either."""
    project.commit("good", file_txt="good")
    first = example("local_ci.py", *OPTIONS, "--once", cwd=tmp_path)
    second = example("local_ci.py", *OPTIONS, "--once", cwd=tmp_path)
    assert "running" in first.stdout
    assert second.stdout.splitlines()[0].startswith("ok:")


def test_a_commit_made_meanwhile_is_tested_alone(project: Repo, tmp_path: Path) -> None:
    """A new commit is picked up while it runs, and each commit is checked once."""
    project.commit("good one", file_txt="good one")
    with running("local_ci.py", *OPTIONS, cwd=tmp_path) as lines:
        wait_for(lines, ("ok", "package"))
        project.commit("bad two", file_txt="bad two")
        wait_for(lines, ("failed", "good"), ("ok", "there"))
        project.commit("good three", file_txt="good three")
        wait_for(lines, ("ok", "package"))
    listed = example("local_ci.py", "history", "--op", "command-run", *OPTIONS[4:6], cwd=tmp_path)
    # Three each of the two checks, and two packages.
    assert len(listed.stdout.splitlines()) == 8


def test_a_folder_without_a_repository_is_refused(tmp_path: Path) -> None:
    """One line that says what is wrong, and exit status 2."""
    (tmp_path / "project").mkdir()
    done = example("local_ci.py", *OPTIONS, "--once", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "is not a Git repository" in done.stderr


def test_a_repository_without_a_commit_is_refused(project: Repo, tmp_path: Path) -> None:
    """One line that says what is wrong, and exit status 2."""
    done = example("local_ci.py", *OPTIONS, "--once", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no commit yet" in done.stderr
