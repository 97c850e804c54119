"""Without the packages for logins."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", ["authlib", "httpx2", "joserfc"])
def test_a_missing_package_is_told_with_how_to_get_it(missing: str) -> None:
    """When a login is made; importing it does without."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from pycurrent import UsageError\n"
        "from pycurrent.plugins import login\n"
        "from pycurrent.service.login import Role\n"
        "try:\n    login.OpenID('https://x', 'id', 'secret', roles={'anybody': Role.VIEWER})\n"
        "except UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f'logins at other sites need {missing}, which is missing: pip install "pycurrent[login]"\n'
    )
