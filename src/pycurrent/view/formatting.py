"""Words that are the same wherever people read them: in pages, and on a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta

from pycurrent.engine import JobState


def duration(time: timedelta) -> str:
    """As a person says it: `1.2 s`, `2 min 05 s`, `3 h 07 min`, `4 d 02 h`."""
    seconds = max(0.0, time.total_seconds())
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(int(minutes), 60)
    if hours < 1:
        return f"{minutes} min {seconds:02.0f} s"
    days, hours = divmod(hours, 24)
    if days < 1:
        return f"{hours} h {minutes:02} min"
    return f"{days} d {hours:02} h"


def seconds(took: float | None) -> str:
    """A time that may be short: `3 ms`, or as `duration` has it; empty if it is not known."""
    if took is None:
        return ""
    return f"{took * 1e3:.0f} ms" if took < 0.9995 else duration(timedelta(seconds=took))


def local_time(time: datetime) -> str:
    """As the clock beside the machine shows it."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


_JOB_WORDS = {
    JobState.CREATED: "starting",
    JobState.WAITING_FOR_CONFIRMATION: "waiting",
    JobState.PAUSED: "paused",
    JobState.QUEUED: "queued",
    JobState.RUNNING: "running",
    JobState.ENDED: "ending",
}


def job_word(state: JobState) -> str:
    """The word for the state of a job that has not ended, as far as is known."""
    return _JOB_WORDS[state]


def applied(looked_at: int, changed: int, reworded: int) -> str:
    """The effect of log rules on what has failed already."""
    return (
        f"of {plural(looked_at, 'failure')} {changed:,} {'has' if changed == 1 else 'have'} another"
        f" kind now, and {reworded:,} another message"
    )


def plural(number: int, what: str) -> str:
    """How many: `1 job`, `2,000 jobs`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
