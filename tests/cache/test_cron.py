"""Results that are made again at times of day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.cache import Schedule
from pycurrent.cache.cron import Cron
from pycurrent.errors import UsageError
from pycurrent.term import Current, pair
from pycurrent.testing import Harness
from pycurrent.testing.clock import START

from .workshop import Make, OpenEngine, Workshop, make

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def times(line: str, since: datetime, count: int, zone: str = "Europe/Berlin") -> list[str]:
    """The next times of a line, on the clocks of the zone."""
    cron, found = Cron(line, zone), []
    for _ in range(count):
        after = cron.after(since)
        assert after is not None
        assert after > since
        since = after
        found.append(f"{since.astimezone(ZoneInfo(zone)):%m-%d %H:%M %Z}")
    return found


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def test_a_fixed_time_comes_once_a_day_whatever_the_clocks_do() -> None:
    """In a gap at the first instant after it, in an hour that comes twice the first time."""
    assert times("30 2 * * *", local("2026-03-28T12:00"), 2) == [
        "03-29 03:00 CEST",
        "03-30 02:30 CEST",
    ]
    assert times("30 2 * * *", local("2026-10-24T12:00"), 2) == [
        "10-25 02:30 CEST",
        "10-26 02:30 CET",
    ]


def test_a_fixed_time_does_not_come_again_in_the_second_of_two_equal_hours() -> None:
    """Also to a result that was made there: the next time is that of the day after."""
    for minute in range(0, 60, 7):
        second = local(f"2026-10-25T02:{minute:02}", fold=1)
        assert times("30 2 * * *", second, 1) == ["10-26 02:30 CET"]


def test_wildcards_and_steps_go_by_the_time_that_passes() -> None:
    """So nothing is left out, and nothing comes in a gap."""
    before = local("2026-10-25T01:59")
    found = ["10-25 02:00 CEST", "10-25 02:30 CEST", "10-25 02:00 CET", "10-25 02:30 CET"]
    assert times("*/30 * * * *", before, 4) == found
    gap = ["03-29 01:30 CET", "03-29 03:00 CEST", "03-29 03:30 CEST"]
    assert times("*/30 * * * *", local("2026-03-29T01:15"), 3) == gap
    assert times("*/30 * * * *", local("2026-03-29T03:00"), 1) == ["03-29 03:30 CEST"]


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
)
def test_the_next_time_is_the_first_one_of_a_calendar_walked_by_hand(
    hour: int, minute: int, zone: str, moment: datetime
) -> None:
    """For a fixed hour and minute: that of each day, as the clocks of the zone show it first."""
    since, tz = moment.replace(tzinfo=UTC), ZoneInfo(zone)
    today = since.astimezone(tz).date()
    days = [today + timedelta(days=more) for more in (-1, 0, 1, 2)]
    first = min(t for day in days if (t := _first_of(day, hour, minute, tz)) > since)
    assert Cron(f"{minute} {hour} * * *", zone).after(since) == first


def _first_of(day: object, hour: int, minute: int, tz: ZoneInfo) -> datetime:
    """The first minute of a day at which its clocks show that time or have passed it."""
    time = datetime.combine(day, datetime.min.time(), tz).astimezone(UTC)  # type: ignore[arg-type]
    while True:
        shown = time.astimezone(tz)
        if shown.date() != day or (shown.hour, shown.minute) >= (hour, minute):
            return time
        time += MINUTE


@given(st.lists(st.datetimes(datetime(2026, 1, 1), datetime(2026, 2, 1)), min_size=1))
def test_what_was_asked_before_changes_no_answer(moments: list[datetime]) -> None:
    """One object is asked for all results, in any order."""
    asked = Cron("15 3 * * 1,4", "Europe/Berlin")
    for moment in moments:
        since = moment.replace(tzinfo=UTC)
        assert asked.after(since) == Cron("15 3 * * 1,4", "Europe/Berlin").after(since)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "write five fields"),
        ("2 * *", "write five fields"),
        ("0 0 2 * * *", "write five fields"),
        ("@nightly", "write five fields"),
        ("60 2 * * *", "Bad minute: write five fields"),
        ("0 2 * * MONDAY", "Bad day-of-week"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("0 0 */30 2 MON#5", "that time never comes"),
        (5, "takes a text, not 5"),
    ],
)
def test_a_line_that_says_no_time_is_refused(line: str, message: str) -> None:
    """With its form; not when the first result is about to expire."""
    with pytest.raises(UsageError, match=message):
        Schedule.cron(line)


@pytest.mark.parametrize(
    "zone", ["Europe/Bonn", "CEST!", "../etc/passwd", "", "/etc/localtime", "Europe"]
)
def test_an_unknown_zone_is_refused(zone: str) -> None:
    """It is named, and what it may look like."""
    with pytest.raises(
        UsageError, match=f"the time zone '{zone}' is not known here: write, say, 'Eur"
    ):
        Schedule.cron("0 2 * * *", zone=zone)


def test_names_of_common_times_are_known() -> None:
    """Those of other crontabs."""
    assert times("@daily", START, 1, "UTC") == ["01-02 00:00 UTC"]
    assert times(" @Hourly ", START, 1, "UTC") == ["01-01 01:00 UTC"]


def test_equal_schedules_are_equal() -> None:
    """By line and zone."""
    assert Schedule.cron("0 2 * * *") == Schedule.cron("0 2 * * *")
    assert Schedule.cron("0 2 * * *") != Schedule.cron("0 2 * * *", zone="Europe/Berlin")
    assert "0 2 * * *" in repr(Schedule.cron("0 2 * * *"))


NIGHTLY = Schedule.cron("0 2 * * *")


async def test_a_result_is_made_again_each_night(engine: OpenEngine, shop: Workshop) -> None:
    """Once a night, at the time, whenever it was made; meanwhile the old one is reported."""

    def pipeline() -> Current[str]:
        return make(Make(shop), schedule=NIGHTLY)

    async with engine(pipeline) as h:
        await h.settle()
        await h.advance(timedelta(hours=1))
        shop.work.succeed("first")
        await h.advance(timedelta(minutes=59))
        assert len(shop.begun) == 1
        await h.advance(MINUTE)
        assert len(shop.begun) == 2
        shop.work.succeed("second")
        await h.settle()
        for night in range(2, 6):
            await h.advance(timedelta(hours=23, minutes=59))
            assert len(shop.begun) == night
            await h.advance(MINUTE)
            assert len(shop.begun) == night + 1
            shop.work.succeed("more")
            await h.settle()


async def test_nights_that_no_engine_saw_are_made_up_for_once(
    engine: OpenEngine, shop: Workshop, tmp_path: Path
) -> None:
    """At the start, and then at its time again."""

    def pipeline() -> Current[str]:
        return make(Make(shop), schedule=NIGHTLY)

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed("old")
        await h.settle()
    async with Harness(
        pipeline, state_dir=tmp_path, start=START + timedelta(days=5, hours=10)
    ) as h:
        await h.settle()
        assert len(shop.begun) == 2
        shop.work.succeed("new")
        await h.advance(timedelta(hours=15, minutes=59))
        assert len(shop.begun) == 2
        await h.advance(MINUTE)
        assert len(shop.begun) == 3


async def test_of_two_schedules_the_sooner_one_holds(engine: OpenEngine, shop: Workshop) -> None:
    """An age and a time of day, for one key."""
    op = Make(shop)

    def pipeline() -> Current[tuple[str, str]]:
        daily = make(op, schedule=NIGHTLY)
        return pair(daily, make(op, schedule=Schedule(valid_for=timedelta(hours=3))))

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        for begun, wait in ((2, timedelta(hours=2)), (3, timedelta(hours=3))):
            await h.advance(wait - MINUTE)
            assert len(shop.begun) == begun - 1
            await h.advance(MINUTE)
            assert len(shop.begun) == begun
            shop.work.succeed()
            await h.settle()


async def test_a_time_of_day_never_comes_early(engine: OpenEngine, shop: Workshop) -> None:
    """When the clock is set back it comes at its time, as otherwise it would come twice."""

    def pipeline() -> Current[str]:
        return make(Make(shop), schedule=NIGHTLY)

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        await h.advance(timedelta(hours=1))
        h.clock.set(START + timedelta(minutes=59))
        await h.advance(timedelta(hours=1))
        assert len(shop.begun) == 1
        await h.advance(MINUTE)
        assert len(shop.begun) == 2
