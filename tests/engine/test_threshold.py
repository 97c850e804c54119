"""Which confirmation level counts, over restarts, and when the history was lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.engine import Config, Effect, Level
from pycurrent.store import Database
from pycurrent.term import Active, Activity, Current, Ok, all
from pycurrent.testing import Harness

from .doing import Gate, do, start

HOUR = timedelta(hours=1)
DANGEROUS, AVERAGE, HARMLESS = Level.DANGEROUS, Level.AVERAGE, Level.HARMLESS


def engine(folder: Path, config: Config) -> Harness:
    return Harness(lambda: do(start), state_dir=folder, config=config)


async def level_in(folder: Path, config: Config) -> Level | None:
    """The level of an engine that is started with this configuration."""
    async with engine(folder, config) as h:
        return h.engine.config.confirm


def by_code(level: Level | None, auto_release: timedelta | None = None) -> Config:
    return Config(confirm=level, auto_release=auto_release)


def by_command_line(level: Level | None, auto_release: timedelta | None = None) -> Config:
    return Config(confirm=level, auto_release=auto_release, insist=True)


async def set_while_running(folder: Path, level: Level | None) -> None:
    async with engine(folder, Config()) as h:
        h.engine.config.confirm = level


@pytest.mark.parametrize(
    ("set_before", "config", "expected"),
    [
        (DANGEROUS, by_code(None), DANGEROUS),
        (DANGEROUS, by_code(HARMLESS), DANGEROUS),
        (None, by_code(HARMLESS), None),
        (HARMLESS, by_command_line(DANGEROUS), DANGEROUS),
        (HARMLESS, by_command_line(None), None),
    ],
)
async def test_what_was_set_while_running_lasts_but_for_the_command_line(
    tmp_path: Path, set_before: Level | None, config: Config, expected: Level | None
) -> None:
    """It counts more than the level in the code; what counted is what lasts from then on."""
    await set_while_running(tmp_path, set_before)
    assert await level_in(tmp_path, config) is expected
    assert await level_in(tmp_path, by_code(AVERAGE)) is expected


async def test_the_level_of_the_code_does_not_last(tmp_path: Path) -> None:
    """The next version of the code says its own."""
    assert await level_in(tmp_path, by_code(DANGEROUS)) is DANGEROUS
    assert await level_in(tmp_path, by_code(AVERAGE)) is AVERAGE
    assert await level_in(tmp_path, by_code(None)) is None


async def test_the_last_level_that_was_set_lasts(tmp_path: Path) -> None:
    """Also after a kill: it is written at once."""
    async with engine(tmp_path, Config()) as h:
        h.engine.config.confirm = HARMLESS
        h.engine.config.confirm = AVERAGE
        with closing(sqlite3.connect(tmp_path / "db" / "pycurrent.db")) as shell:
            (text,) = shell.execute("SELECT value FROM setting WHERE name = 'confirm'").fetchone()
        assert '"average"' in text
    h.engine.config.confirm = DANGEROUS
    assert await level_in(tmp_path, Config()) is AVERAGE, "not what was set after its end"


@pytest.mark.parametrize("config", [by_code, by_command_line])
async def test_the_automatic_release_is_not_recorded(
    tmp_path: Path, config: Callable[..., Config]
) -> None:
    """The next engine asks again, for as long."""
    for _ in range(2):
        async with engine(tmp_path, config(AVERAGE, HOUR)) as h:
            before = h.engine.config.confirm, h.engine.opened.releases_itself
            await h.advance(HOUR)
            after = h.engine.config.confirm, h.engine.opened.releases_itself
        assert (before, after) == ((AVERAGE, True), (None, False))


async def test_what_a_person_has_set_is_not_released(tmp_path: Path) -> None:
    """Not in this run, be it the same level again, and not in the next one."""
    async with engine(tmp_path, by_code(AVERAGE, HOUR)) as h:
        h.engine.config.confirm = AVERAGE
        assert not h.engine.opened.releases_itself
        await h.advance(HOUR)
        assert h.engine.config.confirm is AVERAGE
    async with engine(tmp_path, by_code(DANGEROUS, HOUR)) as h:
        assert not h.engine.opened.releases_itself
        await h.advance(HOUR)
        assert h.engine.config.confirm is AVERAGE


async def test_a_recorded_level_of_the_command_line_is_released(tmp_path: Path) -> None:
    """No person has decided on it."""
    assert await level_in(tmp_path, by_command_line(AVERAGE)) is AVERAGE
    async with engine(tmp_path, by_code(None, HOUR)) as h:
        assert h.engine.config.confirm is AVERAGE
        await h.advance(HOUR)
        assert h.engine.config.confirm is None


@pytest.mark.parametrize("text", ["", "dangerous", "{}", '{"level": "new", "by": "a person"}'])
async def test_a_level_that_cant_be_read_is_the_strictest(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing starts that somebody may have wanted to hold."""
    await set_while_running(tmp_path, DANGEROUS)
    with Database.open(tmp_path / "db" / "pycurrent.db") as database:
        database.remember("confirm", text)
    assert await level_in(tmp_path, Config()) is HARMLESS
    assert "can't be read" in caplog.text


async def test_another_setting_is_no_decision_on_the_level(tmp_path: Path) -> None:
    """It is not recorded, and released as before."""
    async with engine(tmp_path, by_code(AVERAGE, HOUR)) as h:
        h.engine.config.jobs = 3
        await h.advance(HOUR)
        assert h.engine.config.confirm is None
    assert await level_in(tmp_path, by_code(DANGEROUS)) is DANGEROUS


# The history is lost


async def lose_history(folder: Path) -> None:
    """An engine has run, and its database is gone."""
    async with engine(folder, Config()) as h:
        await h.settle()
    shutil.rmtree(folder / "db")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (by_code(None), Level.ABOVE_AVERAGE),
        (by_code(DANGEROUS), Level.ABOVE_AVERAGE),
        (by_code(AVERAGE), AVERAGE),
        (by_command_line(DANGEROUS), DANGEROUS),
        (by_command_line(None), None),
    ],
)
async def test_a_lost_history_is_told_and_asked_about(
    tmp_path: Path, config: Config, expected: Level | None
) -> None:
    """Risky work waits, unless the command line says what does."""
    await lose_history(tmp_path)
    async with engine(tmp_path, config) as h:
        (problem,) = h.engine.problems
        assert problem.effect is Effect.TOLD
        assert problem.message.startswith("the history is missing")
        assert h.engine.config.confirm is expected


async def test_risky_work_waits_until_somebody_has_confirmed_the_loss(tmp_path: Path) -> None:
    """Restarts change nothing about it, nor does what is done meanwhile."""
    await lose_history(tmp_path)
    deploy = Gate(level=DANGEROUS)

    def pipeline() -> Current[None]:
        return all([do(start, "test"), do(deploy, "deploy")])

    for _ in range(2):
        async with Harness(pipeline, state_dir=tmp_path, config=by_code(None, HOUR)) as h:
            await h.advance(HOUR)
            assert h.output == Active(Activity.WAITING_FOR_CONFIRMATION)
            assert len(list(h.engine.problems)) == 1
    async with Harness(pipeline, state_dir=tmp_path) as h:
        h.engine.config.confirm = None
        await h.settle()
        assert not list(h.engine.problems)
        deploy.let_through()
        await h.settle()
        assert h.output == Ok(None)
    async with Harness(pipeline, state_dir=tmp_path) as h:
        assert h.engine.config.confirm is None
        assert not list(h.engine.problems)


@pytest.mark.parametrize("left", [True, False])
async def test_an_empty_database_is_a_loss_only_where_there_are_logs(
    tmp_path: Path, left: bool
) -> None:
    """A copy of the database without its log can be whole, and empty."""
    await lose_history(tmp_path)
    (tmp_path / "db").mkdir()
    Database.open(tmp_path / "db" / "pycurrent.db").close()
    if not left:
        shutil.rmtree(tmp_path / "job")
    async with engine(tmp_path, Config()) as h:
        assert len(list(h.engine.problems)) == left
