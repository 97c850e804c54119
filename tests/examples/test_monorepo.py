import json
from functools import partial
from pathlib import Path

from examples.monorepo import pipeline

from pycurrent import Failed, Ok
from pycurrent.testing import Harness

from ..plugins.repositories import Repo

NEEDS = {"base": [], "shop": ["base"], "pages": ["shop"], "docs": []}
TEST = "import {0}, unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n"


def write(project: Repo, package: str, text: str) -> None:
    """Commit the code of a package."""
    (project.path / "packages" / package / f"{package}.py").write_text(text)
    project.commit(f"change {package}")


async def test_only_the_packages_that_a_change_concerns_are_tested(
    project: Repo, tmp_path: Path
) -> None:
    """A package is tested when it has changed, or one that it needs, directly or not."""
    (project.path / "packages.json").write_text(json.dumps(NEEDS))
    for package, needs in NEEDS.items():
        folder = project.path / "packages" / package
        folder.mkdir(parents=True)
        (folder / f"test_{package}.py").write_text(TEST.format(package))
        write(project, package, "".join(f"import {needed}\n" for needed in needs))
    async with Harness(partial(pipeline, project.path), state_dir=tmp_path / "state") as h:
        await h.settle()
        assert (h.output, len(h.history("command-run"))) == (Ok(None), 4)
        expected = 4
        for package, concerned in (("docs", 1), ("shop", 2), ("base", 3)):
            write(project, package, "".join(f"import {n}\n" for n in NEEDS[package]) + "# new\n")
            await h.settle()
            expected += concerned
            assert (h.output, len(h.history("command-run"))) == (Ok(None), expected)
        project.commit("nothing of a package", README_md="read")
        await h.settle()
        assert len(h.history("command-run")) == expected
        write(project, "shop", "oops(")
        await h.settle()
        assert isinstance(h.output, Failed)
        assert {"pages", "shop"} <= set(h.output.message.replace(",", "").split())
