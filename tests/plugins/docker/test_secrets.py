"""The secrets of containers and builds, without an engine of Docker's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Job, Level, Secret
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.secrets import DockerSecrets
from pycurrent.term import Failed, FailureKind, Ok
from pycurrent.testing import Harness


async def told(folder: Path, secrets: Mapping[str, str | Secret]) -> tuple[object, str]:
    """The outcome and the log of a job that is told them."""
    given = DockerSecrets.of(secrets)

    @builder("tell", level=Level.HARMLESS, label="tell")
    async def tell(job: Job, key: str) -> int:
        variables = await given.told(job)
        job.log(" ".join(variables.values()))
        return len(variables)

    async with Harness(lambda: tell("x"), state_dir=folder / "state") as h:
        await h.settle()
        return h.output, h.log("tell x")


async def test_texts_and_places_are_told_and_masked(tmp_path: Path) -> None:
    """Each in its variable."""
    place = tmp_path / "token"
    place.write_text("correct-horse\n")
    output, log = await told(tmp_path, {"A": "battery-staple", "B": Secret.from_file(place)})
    assert output == Ok(2)
    assert "**** ****" in log


async def test_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    """That is no result: the machine has to be set up."""
    output, _ = await told(tmp_path, {"TOKEN": Secret.from_file(tmp_path / "nowhere")})
    assert isinstance(output, Failed)
    assert output.kind is FailureKind.INFRA
    assert output.message.startswith("no secret for TOKEN: ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TOKEN": 4711}, 'not a int: write Secret.from_env("TOKEN")'),
        (["TOKEN"], "secrets= takes a dict, not list"),
        ({"PATH": "secret"}, "'PATH' can't be the name of a secret"),
    ],
)
def test_something_else_is_refused(given: Any, said: str) -> None:
    """Where it is given, and without its value."""
    with pytest.raises(UsageError) as refused:
        DockerSecrets.of(given)
    assert said in str(refused.value)
    assert "4711" not in str(refused.value)
