r"""Test all branches with several Pythons, and publish main once it has passed.

    python examples/matrix.py --repository https://git.example.org/team/shop.git --confirm dangerous

With `--confirm dangerous` a person approves each commit of main before it is published.
"""

import shlex
from datetime import timedelta
from html import escape
from pathlib import Path

import pycurrent as current
from pycurrent import Active, Current, Failed, Job, Level, Output, Pool, Retry, Schedule
from pycurrent.plugins import command, fs, git

EXCLUDED = {("legacy", "python3 -O")}
NIGHTLY = Schedule.cron("0 2 * * *", zone="Europe/Berlin")
TESTS = Pool("tests", 2)


@current.builder("soak", level=Level.AVERAGE, timeout=timedelta(hours=6), schedule=NIGHTLY)
async def soak(job: Job, commit: git.Commit) -> None:
    async with git.with_checkout(job, commit) as folder:
        await job.exec(["python3", "-X", "dev", "-m", "unittest"], cwd=folder)


def tested(head: Current[git.CommitId], pythons: tuple[str, ...]) -> Current[None]:
    def test(python: Current[str]) -> Current[None]:
        argv = python.map(lambda python: [*shlex.split(python), "-m", "unittest"])
        return command.run(commit, argv, retry=Retry(infra=3), pool=TESTS, label="test")

    commit = git.fetch(head, label="fetch")
    chosen = head.map(lambda head: [p for p in pythons if (head.branch, p) not in EXCLUDED])
    return chosen.list_iter(test, label="pythons")


def news_of(tests: Output[None]) -> str | None:
    if isinstance(tests, Active):
        return None  # The first tests are still running.
    return "main is broken" if isinstance(tests, Failed) else "main is fine"


def all_passed(branches: dict[str, Output[None]]) -> Current[None]:
    return current.all({name: current.from_output(tests) for name, tests in branches.items()})


def status_page(branches: dict[str, Output[None]]) -> str:
    cells = ((escape(name), type(tests).__name__) for name, tests in branches.items())
    rows = "\n".join(f"<tr><td>{name}<td class={state}>{state}" for name, state in cells)
    style = "<style>.Ok {background: #9e9} .Failed {background: #f64}</style>"
    return f"<!doctype html><title>Branches</title>{style}<table>\n{rows}\n</table>\n"


def pipeline(
    repository: str = "https://git.example.org/team/shop.git",
    pythons: tuple[str, ...] = ("python3", "python3 -O"),
    publish_by: str = "make publish",  # in a checkout of main
    tell_by: str = 'echo "$PYCURRENT_VALUE"',  # a command of the shell
    page: Path = Path("status.html"),
) -> Current[None]:
    """Test all branches of a repository, and publish main."""

    def branch(head: Current[git.CommitId]) -> Current[tuple[str, Output[None]]]:
        return current.pair(
            head.map(lambda head: str(head.branch)), tested(head, pythons).state(hidden=True)
        )

    main = git.head_of(repository, "refs/heads/main")
    main_tested, commit = tested(main, pythons), git.fetch(main, label="fetch")
    news = main_tested.latch().state(hidden=True).map(news_of)
    heads = git.heads(repository)
    branches = heads.list_map(branch, key=lambda head: str(head.branch), label="branches").map(dict)
    return current.all(
        {
            "branches": branches.bind(all_passed),
            "status page": fs.save(page.absolute(), branches.map(status_page), label="page"),
            "publish": command.set(
                commit.gate(on=main_tested), shlex.split(publish_by), key="publish"
            ),
            "nightly": soak(commit),
            "news": news.option_iter(
                lambda news: command.set(
                    news, ["sh", "-c", tell_by], key="news", level=Level.AVERAGE
                )
            ),
        }
    )


if __name__ == "__main__":
    current.main(pipeline)
