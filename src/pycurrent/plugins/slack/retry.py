"""Retries: when Slack asks for a pause, and when it can't be reached."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pycurrent.engine import Clock, Job
from pycurrent.plugins.slack.requests import REQUEST_SECONDS, Answer, Meaning
from pycurrent.plugins.slack.sdk import aiohttp
from pycurrent.term import Failure, FailureKind

ATTEMPTS = 5
"""The number of attempts if Slack can't be reached, or is out of order."""

LIMITED_ATTEMPTS = 30
"""The number of attempts if Slack says each time how long to wait."""


async def with_retries(ask: Callable[[], Awaitable[Answer]], job: Job, clock: Clock) -> Answer:
    """Ask, and ask again as long as that may help. Raises Failure if no answer comes.

    Slack may have heard a request that was broken off, so a message may be posted twice. That is
    better than not at all.
    """
    troubles = limited = 0
    while True:
        try:
            answer = await ask()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            trouble = f"Slack can't be reached: {_reason(error)}"
        else:
            if answer.meaning is Meaning.LATER and limited < LIMITED_ATTEMPTS:
                limited += 1
                await _wait(_asked_for(answer), "Slack asks for fewer messages", job, clock)
                continue
            if answer.meaning is not Meaning.TROUBLE:
                return answer
            trouble = f"Slack is out of order: {answer.word}"
        troubles += 1
        if troubles >= ATTEMPTS:
            why = f"{trouble} (tried {ATTEMPTS} times)"
            raise Failure(why, kind=FailureKind.INFRA)
        await _wait(timedelta(seconds=2**troubles), trouble, job, clock)


async def _wait(duration: timedelta, why: str, job: Job, clock: Clock) -> None:
    job.log(f"{why}; trying again in {duration.total_seconds():g} s")
    await clock.sleep(duration)


def _asked_for(answer: Answer) -> timedelta:
    """The pause that Slack asks for, at least a second."""
    try:
        return timedelta(seconds=max(1.0, float(answer.retry_after or 1)))
    except (ValueError, OverflowError):
        return timedelta(seconds=30)


def _reason(error: Exception) -> str:
    """Describe the error without the address, which may be a secret."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} is not known"
        case aiohttp.ClientConnectorError():
            return f"{error.host} port {error.port}: {_system(error.os_error)}"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "the connection was broken off"
        case asyncio.TimeoutError():
            return f"no answer within {REQUEST_SECONDS} s"
        case OSError():
            return _system(error)
        case _:
            return type(error).__name__


def _system(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__
