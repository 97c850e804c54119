"""The package, as it is given to others."""

import subprocess
import sys
import zipfile
from pathlib import Path

from pycurrent.web.pages.sources import ENTRIES, STAMP

ROOT = Path(__file__).parent.parent


def test_a_wheel_has_all_that_pages_load(tmp_path: Path) -> None:
    """The bundle of the site's scripts and styles, what others have made, templates and SQL."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *options, f"--wheel-dir={tmp_path}", "."]
    subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    web = "pycurrent/web"
    needed = {f"{web}/static/bundle/{entry}" for entry in ENTRIES}
    needed |= {f"{web}/static/{STAMP}", f"{web}/static/vendor/dagre.LICENSE.txt"}
    needed |= {f"{web}/templates/base.html", "pycurrent/store/queries.sql", "pycurrent/py.typed"}
    needed |= {"pycurrent/explain/patterns.toml"}
    assert needed <= names
