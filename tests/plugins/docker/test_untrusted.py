"""Containers of untrusted work get nothing of the machine. No Docker is needed here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Job, Level
from pycurrent.plugins.docker.config import make_config
from pycurrent.plugins.docker.untrusted import check_run_args
from pycurrent.term import Current, Failed, Ok, Untrusted, untrusted
from pycurrent.testing import Harness

FORK = Untrusted("octo/web", "a" * 40, approval=False)


@builder("check", level=Level.HARMLESS)
async def check(job: Job, words: list[str]) -> None:
    check_run_args(job, words)


async def outcome(words: list[str], state: Path, trust: Untrusted | None) -> object:
    def pipeline() -> Current[None]:
        if trust is None:
            return check(words)
        with untrusted(trust):
            return check(words)

    async with Harness(pipeline, state_dir=state) as h:
        await h.settle()
        return h.output


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--env=A=1", "-e", "B=2", "--init", "--user", "1000"],
        ["--network", "none", "--memory=1g", "--read-only", "--tmpfs", "/tmp"],
        ["--network=bridge"],
    ],
)
async def test_harmless_options_are_as_ever(words: list[str], tmp_path: Path) -> None:
    """Those that a container needs for itself."""
    assert await outcome(words, tmp_path, FORK) == Ok(None)


@pytest.mark.parametrize(
    "words",
    [
        ["--privileged"],
        ["--privileged=true"],
        ["-v", "/:/host"],
        ["-v/:/host"],
        ["--volume=/:/host"],
        ["--mount=type=bind,source=/,target=/host"],
        ["--volumes-from", "other"],
        ["--network=host"],
        ["--net", "host"],
        ["--network", "container:other"],
        ["--network"],
        ["--pid=host"],
        ["--ipc", "host"],
        ["--userns=host"],
        ["--cap-add=SYS_ADMIN"],
        ["--device=/dev/sda"],
        ["--security-opt=seccomp=unconfined"],
        ["--env-file", "/etc/secrets"],
        ["--init=true"],
        ["--env", "A=1", "--privileged"],
        ["-itv", "/:/host"],
        ["other/image"],
    ],
)
async def test_options_that_give_more_are_refused(words: list[str], tmp_path: Path) -> None:
    """Whatever is not known to be harmless. Trusted work may use them all."""
    output = await outcome(words, tmp_path / "a", FORK)
    assert isinstance(output, Failed)
    assert output.message.startswith("untrusted work can't use ")
    assert await outcome(words, tmp_path / "b", None) == Ok(None)


def test_the_logins_of_the_user_are_left_out(tmp_path: Path) -> None:
    """The settings by which docker reaches its engine are not."""
    users, folder = tmp_path / "users", tmp_path / "job"
    (users / "contexts").mkdir(parents=True)
    folder.mkdir()
    settings = {
        "auths": {"registry.example.org": {"auth": "c2VjcmV0"}},
        "credsStore": "keychain",
        "credHelpers": {"registry.example.org": "keychain"},
        "HttpHeaders": {"X-Token": "secret"},
        "currentContext": "builder",
    }
    (users / "config.json").write_text(json.dumps(settings))
    make_config(folder, users, logins=False)
    assert json.loads((folder / "config.json").read_text()) == {"currentContext": "builder"}
    assert (folder / "contexts").is_symlink()
