"""Several forges in one engine."""

from pathlib import Path

import pytest

from pycurrent import Failure, constant
from pycurrent.plugins import forgejo, github
from pycurrent.plugins.forge.links import ForgeLinks
from pycurrent.testing import Harness


async def test_a_record_of_another_forge_is_retired_there(tmp_path: Path) -> None:
    """By its address; a forge that the pipeline has no longer is named."""
    ours = forgejo.Forgejo("https://git.example.org", token="secret")
    other = github.GitHub("secret", url="https://github.example.org")
    async with Harness(lambda: constant(1), state_dir=tmp_path) as h:
        links = h.engine.opened.service(ForgeLinks)
        first, second = links.of(ours), links.of(other)
        assert first.api_at(ours.site) is first.api
        assert first.api_at(other.site) is second.api
        with pytest.raises(Failure, match=r"no stage .* uses the forge https://gone\.example\.org"):
            first.api_at("https://gone.example.org")
