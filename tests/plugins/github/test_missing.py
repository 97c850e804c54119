"""Without the packages for GitHub."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("missing", ["httpx", "joserfc"])
def test_a_missing_package_is_told_with_how_to_get_it(missing: str) -> None:
    """When the plugin is imported; the rest of pycurrent does without."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import pycurrent, pycurrent.plugins.git\n"
        "from pycurrent import UsageError\n"
        "try:\n    from pycurrent.plugins import github\n"
        "except UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f'GitHub needs {missing}, which is missing: pip install "pycurrent[github]"\n'
    )
