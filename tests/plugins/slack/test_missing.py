"""Without Slack's SDK."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", ["slack_sdk", "aiohttp"])
def test_what_is_missing_is_told_with_how_to_get_it(missing: str) -> None:
    """When the plugin is imported; the rest of pycurrent does without."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import pycurrent, pycurrent.plugins.fs\n"
        "from pycurrent import UsageError\n"
        "try:\n    from pycurrent.plugins import slack\n"
        "except UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f'messages to Slack need {missing}, which is missing: pip install "pycurrent[slack]"\n'
    )
