"""What bad input gets: one line that says what, where and what to do, and exit status 2."""

import re
import shutil
from pathlib import Path

import pytest

from pycurrent.store import StateDir

from .commands import FROBS, NAPS, Command, Start, Write


def complaint(pycurrent: Command, *arguments: str | Path) -> str:
    """What a command complains of, in its only line; nothing else is said."""
    ended = pycurrent(*arguments)
    assert (ended.status, ended.out) == (2, "")
    line, end, rest = ended.err.partition("\n")
    assert (end, rest) == ("\n", "")
    return line.removeprefix("pycurrent: ")


def test_a_pipeline_file_that_is_missing(pycurrent: Command) -> None:
    """It says which."""
    assert complaint(pycurrent, "run", "nowhere/ci.py") == (
        "no pipeline in nowhere/ci.py: no such file exists; give the path of a Python file,"
        " or the name of a module"
    )


def test_a_folder_in_place_of_a_file(pycurrent: Command) -> None:
    """It says so."""
    assert "it is a directory" in complaint(pycurrent, "run", ".")


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("x = 1", "ci.py", "no pipeline in ci.py: name a function `pipeline`, or annotate"),
        (
            "def a() -> 'Current[int]': ...\ndef b() -> 'Current[int]': ...",
            "ci.py",
            "several functions in ci.py return a current (a, b): name one `pipeline`, or say which:"
            " ci.py:b",
        ),
        (
            "def a() -> 'Current[int]': ...",
            "ci.py:b",
            "ci.py has no function 'b': those that return a current are a",
        ),
        ("b = 1", "ci.py:b", "ci.py has something else than a function 'b'"),
    ],
)
def test_a_file_without_the_pipeline(
    text: str, target: str, said: str, pipeline_file: Write, pycurrent: Command
) -> None:
    """It says how to name one."""
    pipeline_file(text)
    assert complaint(pycurrent, "run", target).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def pipeline(): return 'text'", "ci.py:1: pipeline must return a current, not str: "),
        (
            "\ndef pipeline(): pass",
            "ci.py:2: pipeline must return a current, not None: ",
        ),
        ("async def pipeline(): pass", "ci.py:1: pipeline must be a plain function, without async"),
    ],
)
def test_a_pipeline_that_returns_no_current(
    text: str, said: str, pipeline_file: Write, pycurrent: Command
) -> None:
    """It says what it returned."""
    pipeline_file(text)
    assert complaint(pycurrent, "run", "ci.py").startswith(said)


@pytest.mark.parametrize(
    ("text", "frames", "said"),
    [
        (
            "def inner():\n    return 1 / 0\ndef pipeline():\n    return inner()",
            ["line 4, in pipeline", "line 2, in inner"],
            "ci.py:2: ZeroDivisionError: division by zero",
        ),
        (
            "import a_module_that_is_not_there",
            ["line 1, in <module>"],
            "ci.py:1: ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
        ),
        ("def pipeline(:", ["line 1\n    def pipeline(:"], "ci.py:1: SyntaxError: invalid syntax"),
        (
            "class Textless(Exception):\n    def __str__(self): return 1 / 0\nraise Textless",
            ["line 3, in <module>"],
            "ci.py:3: Textless: <Textless without a text: ZeroDivisionError>",
        ),
        ("raise SyntaxError('bad', ('f', 1, 2, 5))", [], "f:1: SyntaxError: bad"),
        (
            "raise SyntaxError('bad', (5, 'x', 2, 5))",
            ["line 1, in <module>"],
            "ci.py:1: SyntaxError: bad",
        ),
        (
            "import pycurrent as current\n"
            "def pipeline():\n    return current.constant(1).gate(on=2)",
            [],
            "gate(on=) takes a current, not int: see constant() (ci.py:3)",
        ),
    ],
)
def test_a_pipeline_that_raises(
    text: str, frames: list[str], said: str, pipeline_file: Write, pycurrent: Command
) -> None:
    """Before the line, the frames of the author's own code: none of those around it."""
    pipeline_file(text)
    for command in ("run", "graph"):
        ended = pycurrent(command, "ci.py")
        *shown, line = ended.err.splitlines()
        assert (ended.status, line) == (2, f"pycurrent: {said}")
        assert len(re.findall(r'  File ".*ci\.py", line', "\n".join(shown))) == len(frames)
        assert "src/pycurrent" not in ended.err
        for frame in frames:
            assert frame in ended.err


def test_what_a_plugin_refuses(pipeline_file: Write, pycurrent: Command) -> None:
    """A `UsageError` says all that there is to say."""
    pipeline_file("""
        from pycurrent import UsageError
        def pipeline():
            raise UsageError("/x is not a Git repository: make it one with git init")
    """)
    assert complaint(pycurrent, "run", "ci.py", "--once") == (
        "/x is not a Git repository: make it one with git init (ci.py:4)"
    )


@pytest.mark.parametrize("key", ["object()", "float('nan')"])
def test_an_unstable_key(key: str, pipeline_file: Write, pycurrent: Command) -> None:
    """It is the component's failure, and the run is no good: what else there is has been run."""
    pipeline_file(
        FROBS
        + f"""
    @builder("unstable", level=Level.HARMLESS)
    async def unstable(job: Job, key: {"object" if "object" in key else "float"}) -> None:
        ...

    def both() -> Current[None]:
        return current.all([unstable({key}), frob("a")])
    """
    )
    ended = pycurrent("run", "ci.py:both", "--once")
    assert ended.status == 2
    assert "\n" not in ended.err.strip("\n")
    assert "key of operation 'unstable'" in ended.err
    assert [line[:15] for line in ended.lines if line.startswith("ok")] == ["ok       frob a"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "Parameter FILE requires an argument; see --help"),
        (["run", "ci.py", "--number", "x"], "Invalid value for --number: 'x' is not a whole"),
        (["run", "ci.py", "--nonsense"], "Unknown option: --nonsense"),
        (["run", "--nonsense", "ci.py"], "Unknown option: --nonsense"),
        (
            ["run", "ci.py", "--confirm", "x"],
            "Invalid value for --confirm: 'x' is not a level. Choose from: harmless, ",
        ),
        (
            ["run", "ci.py", "--confirm", "average", "--confirm-auto-release", "x"],
            "Invalid value for --confirm-auto-release: 'x' is not a number of seconds",
        ),
        (
            ["run", "ci.py", "--confirm-auto-release", "1"],
            "--confirm-auto-release needs --confirm LEVEL",
        ),
        (["graph", "ci.py", "--unfold", "x"], "--unfold takes KEY=VALUE"),
        (
            ["gc", "--older-than", "90"],
            "Invalid value for --older-than: '90' is not a time such as",
        ),
        (
            ["gc", "--max-size", "lots"],
            "Invalid value for --max-size: 'lots' is not a size such as",
        ),
        (
            ["run", "ci.py", "--gc-every", "0s"],
            "Invalid value for --gc-every: 0s is too short: write none for never",
        ),
        (
            ["run", "ci.py", "--files-max-size", "50X"],
            "Invalid value for --files-max-size: '50X' is not a size such as 500M or 50G",
        ),
        (["history", "--ok", "--failed"], "no job has both succeeded and failed"),
        (["history", "--limit", "0"], 'Invalid value "0" for --limit. Must be >= 1; see --help'),
        (["nonsense"], 'Unknown command "nonsense"'),
    ],
)
def test_options_that_make_no_sense(
    arguments: list[str], said: str, pipeline_file: Write, pycurrent: Command
) -> None:
    """It says which, and what is possible."""
    pipeline_file("""
        import pycurrent as current
        def pipeline(number: int = 1):
            return current.constant(number)
    """)
    assert complaint(pycurrent, *arguments).startswith(said)


def test_a_parameter_named_as_an_option(pipeline_file: Write, pycurrent: Command) -> None:
    """It can't be both."""
    pipeline_file("def pipeline(state_dir: str = ''): ...")
    assert complaint(pycurrent, "run", "ci.py") == (
        "parameter 'state_dir' of pipeline in ci.py is named as an option of `run`: give it"
        " another name"
    )


def test_annotations_that_cannot_be_read(pipeline_file: Write, pycurrent: Command) -> None:
    """Options need the types of the parameters."""
    pipeline_file("def pipeline(x: 'Nowhere' = 1): ...")
    assert complaint(pycurrent, "run", "ci.py") == (
        "the annotations of pipeline in ci.py can't be read: NameError: name 'Nowhere' is not"
        " defined"
    )


def test_a_state_directory_in_use(
    pipeline_file: Write, pycurrent: Command, child: Start, folder: Path
) -> None:
    """It says by which process, and that goes on."""
    pipeline_file(NAPS)
    (folder / "fifo").touch()
    holder = child("-m", "pycurrent", "run", "ci.py")
    holder.await_line("running  nap")
    said = complaint(pycurrent, "run", "ci.py", "--once")
    assert f" is in use by process {holder.process.pid} (" in said
    assert said.endswith("stop it, or use another --state-dir")
    assert holder.process.poll() is None


def test_a_state_directory_that_can_not_be_made(pipeline_file: Write, pycurrent: Command) -> None:
    """It says what is in the way."""
    file = pipeline_file(FROBS)
    said = complaint(pycurrent, "run", "ci.py", "--state-dir", "ci.py")
    assert said.startswith(f"state directory {file} is not a directory")


def test_a_state_directory_of_a_newer_version(
    pipeline_file: Write, pycurrent: Command, folder: Path
) -> None:
    """It is left as it is."""
    pipeline_file(FROBS)
    (folder / "new").mkdir()
    (folder / "new/version").write_text("99\n")
    assert "is from a newer version" in complaint(
        pycurrent, "run", "ci.py", "--state-dir", "new", "--once"
    )
    assert (folder / "new/version").read_text() == "99\n"


@pytest.mark.parametrize("command", [["run", "ci.py", "--once"], ["history"]])
def test_a_damaged_database(
    command: list[str], pipeline_file: Write, pycurrent: Command, folder: Path
) -> None:
    """It is left as it is, byte for byte."""
    pipeline_file(FROBS)
    pycurrent("run", "ci.py", "--once")
    database = folder / ".pycurrent/db/pycurrent.db"
    database.write_bytes(noise := bytes(range(256)) * 20)
    assert complaint(pycurrent, *command).startswith(f"the database {database} is damaged (")
    assert database.read_bytes() == noise


@pytest.mark.parametrize("command", [["history"], ["log", "last"], ["gc", "--older-than", "1d"]])
def test_no_state_directory(command: list[str], pycurrent: Command, folder: Path) -> None:
    """What only reads makes none."""
    assert complaint(pycurrent, *command).startswith(f"no state directory at {folder}/.pyc")
    assert list(folder.iterdir()) == []


def test_a_file_that_is_no_utf8_is_shown(
    pipeline_file: Write, pycurrent: Command, folder: Path
) -> None:
    """A file of bytes that are no Python is complained of like any other mistake."""
    (folder / "ci.py").write_bytes(b"x = '\xff'\n")
    ended = pycurrent("run", "ci.py")
    assert ended.status == 2
    assert "SyntaxError" in ended.err.splitlines()[-1]


def test_nothing_is_lost_by_a_mistake(
    pipeline_file: Write, pycurrent: Command, folder: Path
) -> None:
    """A pipeline that is broken leaves the state directory alone."""
    pipeline_file(FROBS)
    pycurrent("run", "ci.py", "--once")
    shutil.rmtree(folder / ".pycurrent/tmp")
    before = sorted(folder.rglob(".pycurrent/**/*"))
    pipeline_file("raise Exception", "broken.py")
    assert pycurrent("run", "broken.py", "--once").status == 2
    assert sorted(folder.rglob(".pycurrent/**/*")) == before
    assert StateDir.read(folder / ".pycurrent").is_in_use is False
