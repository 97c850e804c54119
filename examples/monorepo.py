"""Test each package of a repository when it has changed, or one that it needs.

    python examples/monorepo.py --repo ~/project

The packages are the folders in `packages`. Each may name the others that it needs, one a line, in a
file `needs.txt`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pycurrent as current
from pycurrent import Builder, Current, Job, Level, Limits, Pool, Primitive
from pycurrent.plugins import git


@dataclass(frozen=True)
class Package:
    """A package, and the hashes of its folder and of those of all that it needs."""

    name: str
    trees: dict[str, str]


@dataclass(frozen=True)
class Test(Builder[Package, None]):
    """The commit is only the context: a later one with the same trees is not tested again."""

    id: ClassVar[str] = "package-test"
    limits: ClassVar[Limits] = Limits(Level.AVERAGE, Pool("tests", 2))
    commit: git.Commit

    async def build(self, job: Job, key: Package) -> None:
        async with git.with_checkout(job, self.commit) as folder:
            path = ":".join(str(folder / "packages" / name) for name in key.trees)
            tests = folder / "packages" / key.name
            await job.exec(["python3", "-m", "unittest"], cwd=tests, env={"PYTHONPATH": path})


@current.builder("packages", level=Level.HARMLESS, label="packages")
async def packages(job: Job, commit: git.Commit) -> tuple[Package, ...]:
    async with git.with_checkout(job, commit) as folder:
        lines = (
            await job.check_output(["git", "ls-tree", "-d", "HEAD:packages"], cwd=folder)
        ).splitlines()
        trees = {name: words.split()[2] for words, name in (line.split("\t") for line in lines)}
        files = {name: folder / "packages" / name / "needs.txt" for name in trees}
        needs = {name: f.read_text().split() for name, f in files.items() if f.exists()}
    return tuple(Package(name, {n: trees[n] for n in closure(name, needs)}) for name in trees)


def closure(name: str, needs: dict[str, list[str]]) -> set[str]:
    """A package and all that it needs, directly or not."""
    found, waiting = {name}, [name]
    while waiting:
        more = set(needs.get(waiting.pop(), ())) - found
        found |= more
        waiting += more
    return found


@current.component("test")
def test(package: Package, commit: git.Commit) -> Primitive[None]:
    return Test(commit).get(package)


def pipeline(repo: Path = Path()) -> Current[None]:
    commit = git.Local(repo).head_commit()
    return packages(commit).list_iter(
        lambda package: test(package, commit), key=lambda package: package.name, label="packages"
    )


if __name__ == "__main__":
    current.main(pipeline)
