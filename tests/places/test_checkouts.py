"""Commands in checkouts run at each place as they do here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pycurrent.engine import AnyPool, Cache
from pycurrent.plugins import command, git, ssh
from pycurrent.plugins.command import Sandbox
from pycurrent.term import Current, Failed, Ok
from pycurrent.testing import Harness

from ..plugins.repositories import SETTINGS, Repo
from ..plugins.sshd import Sshd

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    repo = Repo.init(tmp_path / "repo")
    repo.commit("first", a_txt="one\n")
    (repo.path / "sub").mkdir()
    (repo.path / "sub" / "b.txt").write_text("b\n")
    repo.commit("second", a_txt="two\n")
    return repo


def head(repo: Repo) -> Current[git.Commit]:
    return git.Local(repo.path).head_commit()


async def ended(folder: Path, pipeline: Callable[[], Current[Any]]) -> Any:
    async with Harness(pipeline, state_dir=folder / "state") as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        return h.output


@pytest.mark.every_place
async def test_a_command_runs_in_a_checkout(
    repo: Repo, pool: AnyPool | None, tmp_path: Path
) -> None:
    """It is a repository of its own, with the history."""
    words = ["sh", "-c", "cat a.txt sub/b.txt; git log --format=%s; git status --porcelain"]
    output = await ended(tmp_path, lambda: command.output(head(repo), words, pool=pool))
    assert output == Ok("two\nb\nsecond\nfirst\n")


async def test_a_command_keeps_a_folder_there(
    repo: Repo, pool: AnyPool | None, tmp_path: Path
) -> None:
    """For the next ones, of another commit too."""
    line = 'cat "$KEPT"/subjects || true; git log -1 --format=%s >> "$KEPT/subjects"'

    def pipeline() -> Current[str]:
        kept = Cache("kept", env="KEPT")
        return command.output(head(repo), ["sh", "-c", line], cache=kept, pool=pool)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        repo.commit("third", a_txt="three\n")
        await h.until(lambda: h.output == Ok("second\n"), timeout=60)


async def test_a_command_has_inputs_and_outputs(
    repo: Repo, pool: AnyPool | None, tmp_path: Path
) -> None:
    """Files that one has made are the input of the next."""

    def pipeline() -> Current[str]:
        commit = head(repo)
        words = ["sh", "-c", "mkdir dist; cp a.txt dist"]
        made = command.run(commit, words, outputs="dist/**", pool=pool)
        return command.output(made, ["find", ".", "-type", "f"], pool=pool)

    assert await ended(tmp_path, pipeline) == Ok("./dist/a.txt\n")


async def test_a_part_of_a_commit_is_checked_out(
    repo: Repo, pool: AnyPool | None, tmp_path: Path
) -> None:
    """It alone."""

    def pipeline() -> Current[str]:
        part = git.tree(head(repo), "sub")
        return command.output(part, ["sh", "-c", "git ls-files; ls"], pool=pool)

    assert await ended(tmp_path, pipeline) == Ok("sub/b.txt\nsub\n")


async def test_history_that_a_host_has_is_not_sent_again(
    repo: Repo, server: Sshd, hosts: Callable[..., ssh.Hosts], home: Path, tmp_path: Path
) -> None:
    """The checkout of a later commit brings what has come since, and is as whole as any."""
    random = Random(0)

    def commit() -> None:
        repo.commit("more", data_txt=random.randbytes(10_000).hex())

    def kept() -> dict[Path, int]:
        files = [path for path in (home / ".cache/pycurrent/files").rglob("*") if path.is_file()]
        return {path: path.stat().st_size for path in files}

    for _ in range(31):
        commit()
    words = ["sh", "-c", "git fsck --full --strict && git log --format=%s | grep -c more"]
    pool = hosts(server, capacity=1)
    for wanted in (31, 32):
        before = kept()
        state = tmp_path / f"{wanted}"
        output = await ended(state, lambda: command.output(head(repo), words, pool=pool))
        assert output == Ok(f"{wanted}\n")
        commit()
    assert sum(kept().values()) > 300_000
    assert sum(size for path, size in kept().items() if path not in before) < 100_000


async def test_a_clean_environment_has_an_empty_home(
    repo: Repo, pool: AnyPool | None, tmp_path: Path
) -> None:
    words = ["sh", "-c", 'ls -A "$HOME" "$TMPDIR" | grep -v : | tr -d "\\n"; echo "$LANG"']
    output = await ended(
        tmp_path, lambda: command.output(head(repo), words, env="clean", pool=pool)
    )
    assert output == Ok("C.UTF-8\n")


async def test_a_sandbox_is_refused_at_another_place(
    repo: Repo, server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """It would be made of files of another machine."""
    pool = hosts(server, capacity=1)
    output = await ended(
        tmp_path, lambda: command.run(head(repo), ["true"], sandbox=Sandbox(), pool=pool)
    )
    assert isinstance(output, Failed)
    assert "a sandbox is made on the engine's machine only" in output.message
