"""Approving commits on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pycurrent as current
from pycurrent.cli.client.status import ClientExit

from ..web.sites import running_site
from .test_client import Client

A = "a" * 40


def pipeline() -> current.Current[Any]:
    """A job of untrusted work."""

    @current.builder("test", level=current.Level.HARMLESS)
    async def test(job: current.Job, key: str) -> str:
        return key

    with current.untrusted(current.Untrusted("octo/web", A)):
        return test("it")


async def test_a_commit_is_approved_by_its_hash(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The job can't be: it says which commit is to be approved. An approval can be taken back."""
    async with running_site(pipeline, tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        await site.engine.settled()
        (job,) = site.engine.jobs
        refused = await client("approve", job)
        assert refused.status != ClientExit.OK
        assert f"approve that commit, {A}, instead" in refused.out
        approved = await client("approve-commit", A, "--reason", "looks fine")
        assert approved.status == ClientExit.OK
        assert approved.out.startswith(f"{A} (approved by ")
        assert approved.out.endswith(": looks fine)\n")
        assert (await client("approvals")).out == approved.out
        waited = await client("wait", "--path", "test*", "--timeout", "30s")
        assert waited.status == ClientExit.OK
        gone = await client("withdraw-commit", A)
        assert gone.out == "no commit is approved\n"
        assert (await client("withdraw-commit", A)).status != ClientExit.OK
