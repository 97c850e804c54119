"""Levels, and the settings that can be changed while an engine runs."""

import pytest

from pycurrent.engine import Config, Level
from pycurrent.errors import UsageError


def test_levels_are_ordered() -> None:
    """From harmless to dangerous."""
    names = [str(level) for level in sorted(Level)]
    assert names == ["harmless", "mostly-harmless", "average", "above-average", "dangerous"]


@pytest.mark.parametrize("level", list(Level))
def test_a_level_is_parsed_as_it_is_printed(level: Level) -> None:
    """In any case, with a hyphen or as Python writes it."""
    assert Level.parse(str(level)) is level
    assert Level.parse(f" {level.name} ") is level


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    """In one line."""
    known = "use one of harmless, mostly-harmless"
    with pytest.raises(UsageError, match=f"'high' is not a level: {known}"):
        Level.parse("high")


def test_a_job_may_start_below_the_threshold() -> None:
    """Without a threshold always."""
    assert Config().allows(Level.DANGEROUS)
    config = Config(confirm=Level.AVERAGE)
    assert [config.allows(level) for level in Level] == [True, True, False, False, False]


def test_listeners_are_told_of_changes_only() -> None:
    """Until they are forgotten; forgetting twice is fine."""
    config = Config(confirm=Level.AVERAGE)
    told: list[Level | None] = []

    def listener() -> None:
        told.append(config.confirm)

    config.listen(listener)
    for level in (Level.AVERAGE, Level.DANGEROUS, None, None):
        config.confirm = level
    config.forget(listener)
    config.forget(listener)
    config.confirm = Level.AVERAGE
    assert told == [Level.DANGEROUS, None]
