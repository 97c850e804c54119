"""Test each package of a repository when its folder has changed, or that of one that it needs.

    python examples/monorepo.py --repo ~/project

The packages are folders in `packages`. The file `packages.json` says which ones each of them needs:
{"base": [], "shop": ["base"], "pages": ["shop"]}
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pycurrent as current
from pycurrent import Current, Pool
from pycurrent.plugins import command, git

TESTS = Pool("tests", 2)


@dataclass(frozen=True)
class Package:
    """A package, and the folders on which it depends: its own, and those of all that it needs."""

    name: str
    folders: tuple[str, ...]


def packages(listed: str) -> list[Package]:
    needs: dict[str, list[str]] = json.loads(listed)

    def all_needed(name: str) -> set[str]:
        found, waiting = {name}, [name]
        while waiting:
            more = set(needs[waiting.pop()]) - found
            found |= more
            waiting += more
        return found

    return [
        Package(name, tuple(f"packages/{needed}" for needed in sorted(all_needed(name))))
        for name in needs
    ]


def pipeline(repo: Path = Path()) -> Current[None]:
    """Test the packages of a repository that a change concerns."""
    commit = git.Local(repo).head_commit()

    def test(package: Current[Package]) -> Current[None]:
        content = package.bind(lambda package: git.tree(commit, *package.folders), name="content")
        argv = package.map(
            lambda package: ["python3", "-m", "unittest", "discover", f"packages/{package.name}"]
        )
        env = package.map(lambda package: {"PYTHONPATH": ":".join(package.folders)})
        return command.run(content, argv, env=env, pool=TESTS, label="test")

    listed = command.output(git.tree(commit, "packages.json"), ["cat", "packages.json"])
    return listed.map(packages).list_iter(test, key=lambda package: package.name, label="packages")


if __name__ == "__main__":
    current.main(pipeline)
