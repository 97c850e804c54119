"""Asks an engine for its images: without a job, a log or a login."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE

from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.config import users_config
from pycurrent.plugins.docker.diagnosis import diagnose
from pycurrent.plugins.docker.image import Image
from pycurrent.term import Failure, FailureKind

_MISSING = "no such image"
_NOWHERE = Path("/")


async def image_ids(client: Client, names: Sequence[str]) -> list[str | None]:
    """Return the ids of the images with these names or ids; None for those that are not there.

    One command tells of all of them, unless some are missing: it does not say which ones. Raises
    Failure if the engine can't be asked.
    """
    if not names:
        return []
    status, printed, said = await _inspect(client, names)
    ids: list[str | None] = [*printed.split()]
    if len(ids) == len(names) and not status:
        return ids
    if _MISSING not in said.lower():
        why = diagnose(said) or f"it printed nothing (exit status {status})"
        raise Failure(f"docker image inspect: {why}", kind=FailureKind.INFRA)
    if len(names) == 1:
        return [None]
    half = len(names) // 2
    return [*await image_ids(client, names[:half]), *await image_ids(client, names[half:])]


async def _inspect(client: Client, names: Sequence[str]) -> tuple[int | None, str, str]:
    command = client.command("docker", ["image", "inspect", "--format", "{{.Id}}", *names])
    # Not one of the engine's commands: it only looks, so it may outlive an engine that is killed.
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=_NOWHERE,
        env={**os.environ, "DOCKER_CONFIG": str(users_config(client.config))},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        printed, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return process.returncode, printed.decode(), said.decode(errors="replace")


async def have_images(client: Client, images: Sequence[Image]) -> list[bool]:
    """True of each image that the engine has. Raises Failure if it can't be asked."""
    ids = await image_ids(client, [image.id for image in images])
    return [id is not None for id in ids]
