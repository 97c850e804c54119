"""A release is tried out before anybody publishes it, and its versions agree."""

import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from tools.release import (
    NEEDED,
    Broken,
    Candidate,
    how_to_publish,
    load_site,
    missing_files,
    try_out,
)

CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-11-26

- New.

## [1.1.0] - 2026-10-01
"""
GOOD = Candidate("1.2.0", CHANGELOG, head="a1", tagged=None, is_clean=True)


@pytest.mark.parametrize("tagged", [None, "a1"])
def test_a_good_candidate_has_no_problem(tagged: str | None) -> None:
    """The tag is at this commit, or is still to be made."""
    assert replace(GOOD, tagged=tagged).problems() == []


@pytest.mark.parametrize(
    ("candidate", "problem"),
    [
        (replace(GOOD, version="1.3.0"), "has no section '## [1.3.0] - YYYY-MM-DD'"),
        (replace(GOOD, version="1.1.0"), "the first version in CHANGELOG.md is [1.2.0]"),
        (replace(GOOD, tagged="b2"), "the tag v1.2.0 is at another commit"),
        (replace(GOOD, is_clean=False), "the work tree has changes"),
        (
            replace(GOOD, changelog=CHANGELOG.replace("d]\n", "d]\n\n- Newer.\n", 1)),
            "has unreleased changes",
        ),
        (
            replace(GOOD, changelog=CHANGELOG.replace(" - 2026-11-26", "")),
            "has no section '## [1.2.0] - YYYY-MM-DD'",
        ),
    ],
)
def test_each_problem_is_named(candidate: Candidate, problem: str) -> None:
    """With what to do about it."""
    assert any(problem in found for found in candidate.problems())


def test_a_candidate_is_read_from_its_repository(tmp_path: Path) -> None:
    """Its version from pyproject.toml, its tag and its changes from git."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "One")
    head = git("rev-parse", "HEAD")
    assert Candidate.of(tmp_path) == replace(GOOD, head=head)
    git("tag", "--annotate", "v1.2.0", "--message", "1.2.0")
    (tmp_path / "new").touch()
    assert Candidate.of(tmp_path) == replace(GOOD, head=head, tagged=head, is_clean=False)


@pytest.mark.parametrize("left_out", [None, NEEDED[0]])
def test_archives_must_carry_the_front_end(tmp_path: Path, left_out: str | None) -> None:
    """A wheel at its top, a source distribution below `src`."""
    names = [name for name in NEEDED if name != left_out]
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        for name in names:
            wheel.writestr(name, "")
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as source:
        for name in names:
            source.addfile(tarfile.TarInfo(f"pycurrent-1.2.0/src/{name}"), io.BytesIO())

    expected = [] if left_out is None else [left_out]
    assert missing_files(tmp_path / "x.whl") == expected
    assert missing_files(tmp_path / "x.tar.gz") == expected


def test_an_installed_command_is_tried_out(tmp_path: Path) -> None:
    """Its version, a run to the end, the history, and the site with all that its page loads."""
    program = Path(sys.executable).parent / "pycurrent"

    try_out(program, version("pycurrent"), tmp_path)

    assert (tmp_path / "site" / "job").is_dir()


def test_a_command_that_does_not_work_is_found_out(tmp_path: Path) -> None:
    """The message says what it printed."""
    program = tmp_path / "pycurrent"
    program.write_text("#!/bin/sh\necho broken; exit 1\n")
    program.chmod(0o755)

    with pytest.raises(
        Broken, match=r"(?s)does not print 'pycurrent 1\.2\.0'.*exited with 1.*broken"
    ):
        try_out(program, "1.2.0", tmp_path)


def test_a_page_without_the_bundle_is_found_out(tmp_path: Path) -> None:
    """As if the archive had come without it."""
    page = tmp_path / "page.html"
    page.write_text('<link href="/static/site.css">')

    with pytest.raises(Broken, match="names none of the joined scripts"):
        load_site(page.as_uri())


def test_a_person_publishes(tmp_path: Path) -> None:
    """The tag is made if it is missing; the archives are named with their digests."""
    archive = tmp_path / "pycurrent-1.2.0.tar.gz"
    archive.write_bytes(b"")

    said = how_to_publish(GOOD, [archive])

    assert "git tag --annotate v1.2.0" in said
    assert "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  pycurrent" in said
    assert "git tag" not in how_to_publish(replace(GOOD, tagged="a1"), [archive])
