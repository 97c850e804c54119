# pyright: strict, reportUnusedFunction=false
"""What type checkers must let pass, with the types that come back."""

from typing import assert_type

import pycurrent as current
from pycurrent import (
    Cache,
    Current,
    Job,
    Level,
    Primitive,
    Schedule,
    Secret,
    Tree,
    builder,
    component,
    inputs,
    publisher,
)
from pycurrent.plugins import command, docker, fs, git, ssh


@builder("count", level=Level.HARMLESS)
async def count(job: Job, text: str, least: int = 3, *, deep: bool = False) -> list[int]:
    return [len(text), least, deep]


@builder("now", level=Level.HARMLESS)
async def now(job: Job) -> float:
    return 0.5


@publisher("deploy", level=Level.DANGEROUS)
async def deploy(job: Job, place: str, *, version: str, notes: str = "") -> int:
    return len(place + version + notes)


@component("join {left}")
def join(left: str, right: bytes, third: int = 1) -> Primitive[str]:
    return Primitive.constant(f"{left}{right!r}{third}")


@component("nothing")
def nothing() -> Primitive[None]:
    return Primitive.constant(None)


text = current.constant("text")
number = current.constant(7)
raw = current.constant(b"raw")

# Values, by position and by keyword.
assert_type(count("text"), Current[list[int]])
assert_type(count("text", 4), Current[list[int]])
assert_type(count("text", least=4, deep=True), Current[list[int]])
assert_type(now(), Current[float])
assert_type(deploy("here", version="1"), Current[int])
assert_type(deploy("here", version="1", notes="new"), Current[int])
assert_type(join(left="a", right=b"b"), Current[str])
assert_type(nothing(), Current[None])

# Currents, and both.
assert_type(count(text), Current[list[int]])
assert_type(count(text, number), Current[list[int]])
assert_type(count("text", number, deep=True), Current[list[int]])
assert_type(count(text, least=4), Current[list[int]])
assert_type(deploy(text, version="1", notes="new"), Current[int])
assert_type(deploy("here", version=text), Current[int])
assert_type(deploy(text, version=text, notes=text), Current[int])
assert_type(join(text, raw), Current[str])
assert_type(join(text, b"b", number), Current[str])
assert_type(join("a", raw, third=3), Current[str])

# Names of stages.
assert_type(count(text, name="other"), Current[list[int]])
assert_type(deploy("here", version=text, name="other"), Current[int])
assert_type(nothing(name="other"), Current[None])
assert_type(count.__name__, str)

# Functions of several currents.
assert_type(inputs(text).map(lambda a: a.upper()), Current[str])
assert_type(inputs(text, number).map(lambda a, b: (a.upper(), b + 1)), Current[tuple[str, int]])
assert_type(
    inputs(text, number, raw).bind(lambda a, b, c: count(a, b + len(c))), Current[list[int]]
)
assert_type(
    inputs(number, number, number, number, number, raw).map(
        lambda a, b, c, d, e, f: a + b + c + d + e + len(f)
    ),
    Current[int],
)

# Lists of refs.
assert_type(git.heads("/repo"), Current[tuple[git.CommitId, ...]])
assert_type(git.tags(text, text, every=None), Current[tuple[git.CommitId, ...]])
assert_type(git.head_of(git.Local("/repo"), "HEAD"), Current[git.CommitId])
assert_type(
    git.heads("/repo").list_map(git.fetch, key=lambda head: head.ref), Current[list[git.Commit]]
)

# Parts of commits, and what is said of them.
commit = git.Local("/repo").head_commit()
assert_type(git.tree(commit, "packages/a"), Current[git.Subtree])
assert_type(git.tree(commit, ["packages/a", "packages/b"], text), Current[git.Subtree])
assert_type(git.tree(commit, current.constant(["packages/a"])), Current[git.Subtree])
assert_type(git.info(commit), Current[git.CommitInfo])

# Commands, with secrets and kept folders.
token = Secret.from_env("TOKEN")
assert_type(token, Secret)
assert_type(token.read(), str)
pip = Cache("pip", env="PIP_CACHE_DIR")
daily = Schedule.cron("0 2 * * *", zone="Europe/Berlin")
part = git.tree(commit, "packages/a")
assert_type(command.run(part, ["true"], secrets={"TOKEN": token}, cache=pip), Current[None])
assert_type(command.run(part, ["true"], schedule=daily), Current[None])
assert_type(command.output(commit, ["true"], cache=[pip], env="clean"), Current[str])
assert_type(command.set(commit, ["true"], key="here", secrets={"TOKEN": token}), Current[None])
assert_type(command.set(text, ["true"], key=text), Current[None])
assert_type(ssh.run(ssh.Host("web"), ["true"], key="here", secret=token), Current[None])

# Files, which come back where outputs are given.
tree = command.run(part, ["true"], outputs="dist/**")
image = docker.DEFAULT.build(tree, dockerfile=text)
assert_type(tree, Current[Tree])
assert_type(image, Current[docker.Image])
assert_type(docker.DEFAULT.run(image, args=["true"], inputs={"/in": tree}), Current[None])
assert_type(docker.DEFAULT.run(image, inputs={"/in": tree}, outputs=["/out/**"]), Current[Tree])
assert_type(ssh.run(ssh.Host("web"), ["true"], key="a", inputs={"in": tree}), Current[None])
assert_type(ssh.run(ssh.Host("web"), ["true"], inputs={"in": tree}, outputs="x"), Current[Tree])
assert_type(fs.save_tree("/srv/www", tree), Current[None])


# Lookups, and results that can get lost.
@builder("newest", level=Level.HARMLESS, lookup=True, schedule=daily)
async def newest(job: Job, name: str) -> str:
    return name


async def is_there(name: str, outcome: str) -> bool:
    return bool(name and outcome)


@builder("made", level=Level.HARMLESS, still_there=is_there)
async def made(job: Job, name: str) -> str:
    return name


assert_type(newest("a"), Current[str])
assert_type(made(text), Current[str])
