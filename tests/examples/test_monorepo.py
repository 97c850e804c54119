from functools import partial
from pathlib import Path

from examples.monorepo import pipeline

from pycurrent import Failed, Ok
from pycurrent.testing import Harness

from ..plugins.repositories import Repo


def change(project: Repo, package: str, **files: str) -> None:
    """Commit these files of a package, `_` standing for a point."""
    folder = project.path / "packages" / package
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{package}{name.replace('_', '.')}").write_text(text)
    project.commit(f"change {package}")


def add(project: Repo, package: str, needed: str) -> None:
    """Have a package whose tests use another one."""
    folder = project.path / "packages" / package
    change(project, package, _py=f"import {needed}\n" if needed else "")
    (folder / f"test_{package}.py").write_text(
        f"import {package}, unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n"
    )
    if needed:
        (folder / "needs.txt").write_text(f"{needed}\n")
    project.commit(f"test {package}")


async def test_only_what_a_change_concerns_is_tested(project: Repo, tmp_path: Path) -> None:
    """A package is tested when it has changed, or one that it needs, directly or not."""
    for package, needed in (("base", ""), ("shop", "base"), ("site", "shop"), ("docs", "")):
        add(project, package, needed)
    async with Harness(partial(pipeline, project.path), state_dir=tmp_path / "state") as h:
        await h.settle()
        assert (h.output, len(h.history("package-test"))) == (Ok(None), 4)
        for package, concerned in (("docs", 1), ("shop", 2), ("base", 3)):
            before = len(h.history("package-test"))
            change(
                project,
                package,
                _py=f"{(project.path / 'packages' / package / f'{package}.py').read_text()}\n",
            )
            await h.settle()
            assert len(h.history("package-test")) == before + concerned
        project.commit("nothing of a package", README_md="read")
        await h.settle()
        assert len(h.history("package-test")) == 10
        change(project, "base", _py="oops(")
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "base" in h.output.message
