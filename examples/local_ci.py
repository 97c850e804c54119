"""Continuous integration for one repository, on one machine.

    python examples/local_ci.py --repo ~/project --checks.lint "ruff check ." --checks.tests pytest

Each check runs in its own checkout of each new commit, and once all checks have passed, a package
is made. A page shows the progress. Without options it runs the checks of pycurrent itself.
"""

import html
import shlex
from collections.abc import Mapping
from pathlib import Path

import pycurrent as current
from pycurrent import Active, Current, Failed, Level, Ok, Output, Pool
from pycurrent.plugins import command, fs, git

CHECKS = {
    "lint": "ruff check .",
    "format": "ruff format --check .",
    "types": "mypy",
    "tests": "pytest -q tests/test_architecture.py tests/store",
}
PACKAGE = "pip wheel --quiet --no-deps --no-build-isolation --wheel-dir OUT ."
# The modules of the checkout, instead of the installed ones.
ENVIRONMENT = {"PYTHONPATH": "src"}


def local_ci(
    repo: Path = Path(),
    out: Path = Path("local-ci"),
    checks: dict[str, str] = CHECKS,
    package: str = PACKAGE,
    env: dict[str, str] = ENVIRONMENT,
    workers: int = 2,
) -> Current[None]:
    """Check the head of a repository, and package the commits that pass.

    Args:
        repo: the repository
        out: the folder for the status page and the package
        checks: a command for each check, as in a shell
        package: the command that makes the package; the word OUT stands for the folder
        env: variables for all of these commands
        workers: how many of them run at once
    """
    local = git.Local(repo)
    local.check()  # Fail now if the repository has no commit, instead of waiting for one.
    out = out.absolute()
    pool = Pool("checks", workers)
    commit = local.head_commit()

    def run(name: str, words: str, commit: Current[git.Commit]) -> Current[None]:
        argv = [str(out) if word == "OUT" else word for word in shlex.split(words)]
        return command.run(commit, argv, env=env, pool=pool, label=name)

    stages = {name: run(name, words, commit) for name, words in checks.items()}
    stages["package"] = run("package", package, commit.gate(on=current.all(stages)))

    about = command.output(commit, ["git", "log", "-1", "--format=%s (%an, %ci)"], label="about")
    page = current.map(
        lambda commit, about, *outputs: status_page(
            commit, about, dict(zip(stages, outputs, strict=True))
        ),
        commit,
        *(stage.state(hidden=True) for stage in (about, *stages.values())),
    )
    saved = fs.save(out / "index.html", page, level=Level.HARMLESS, label="status page")
    return current.all({**stages, "status page": saved})


def status_page(commit: git.Commit, about: Output[str], outputs: Mapping[str, Output[None]]) -> str:
    """The states of the stages as HTML; the last stage waits for the others."""
    *checks, package = outputs
    passed = all(isinstance(outputs[check], Ok) for check in checks)
    rows = [row(check, outputs[check]) for check in checks]
    rows.append(row(package, outputs[package] if passed else None))
    more = about.value if isinstance(about, Ok) else ""
    return PAGE.format(
        title=html.escape(str(commit)), about=html.escape(more), rows="\n".join(rows)
    )


def row(name: str, output: Output[None] | None) -> str:
    """A table row for a stage and its output; None if the stage waits for others."""
    match output:
        case Ok():
            colour, text = "#90ee90", "passed"
        case Failed(message):
            colour, text = "#ff4500", message
        case Active(activity):
            colour, text = "#ffa500", activity.value
        case None:
            colour, text = "#d3d3d3", "waits for the checks"
    cells = f'<td style="background:{colour}">{html.escape(name)}</td><td>{html.escape(text)}</td>'
    return f"<tr>{cells}</tr>"


PAGE = """\
<!doctype html>
<meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>{title}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 50rem }}
  td {{ padding: .3rem .8rem }}
</style>
<h1>{title}</h1>
<p>{about}</p>
<table>
{rows}
</table>
<p>Last change: <script>document.write(document.lastModified)</script></p>
"""


if __name__ == "__main__":
    current.main(local_ci)
