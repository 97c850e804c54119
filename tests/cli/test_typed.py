"""What is typed means what it says, or is refused with a sentence."""

import pytest

from .commands import FROBS, Command, Start, Write

OPTIONS = """
    from enum import Enum
    from pathlib import Path
    import pycurrent as current

    class Size(str, Enum):
        SMALL = "s-val"
        LARGE = "l-val"

    def pipeline(
        name: str = "", *, size: Size | None = None, other: Size = Size.LARGE, n: int = 1,
        maybe: int | None = None, many: tuple[int, ...] = (), where: Path = Path("x"),
        some: Path | None = None,
    ) -> current.Current[None]:
        print(f"// {name!r} {size} {other} {n} {maybe} {many} {where}")
        return current.constant(None)
"""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--size", "s-val"), "Size.SMALL"),
        (("--other", "s-val"), "Size.SMALL"),
        (("--other", "SMALL"), "Size.SMALL"),
        (("--other", "small"), "Size.SMALL"),
        (("--n", "0x10"), " 16 "),
        (("--n=-3",), " -3 "),
        (("--many", "1", "2"), "(1, 2)"),
        (("--", "-a"), "'-a'"),
        (("--n", "2", "--", "--n"), "'--n'"),
    ],
)
def test_an_option_is_taken(
    pipeline_file: Write, pycurrent: Command, given: tuple[str, ...], said: str
) -> None:
    """Values of enumerations, whole numbers, and what stands behind `--`."""
    pipeline_file(OPTIONS)

    ended = pycurrent("graph", "ci.py", *given)

    assert ended.status == 0, ended.err
    assert said in ended.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--n", "1.5"), "--n: '1.5' is not a whole number"),
        (("--n", "1e3"), "--n: '1e3' is not a whole number"),
        (("--maybe", "2.0"), "--maybe: '2.0' is not a whole number"),
        (("--many", "1", "1.5"), "1.5"),
        (("--other", "middle"), "--other: 'middle' is not one of s-val, l-val"),
        (("--where", ""), "--where: it is empty"),
        (("--some", " "), "--some: it is empty"),
    ],
)
def test_an_option_is_refused(
    pipeline_file: Write, pycurrent: Command, given: tuple[str, ...], said: str
) -> None:
    """With the option, what was given, and what is wrong with it."""
    pipeline_file(OPTIONS)

    ended = pycurrent("graph", "ci.py", *given)

    assert ended.status == 2
    assert said in ended.err


@pytest.mark.parametrize(
    "command",
    [
        ("run", "ci.py", "--once", "--state-dir", ""),
        ("history", "--state-dir", ""),
        ("log", "last", "--state-dir", " "),
        ("gc", "--older-than", "1d", "--state-dir", ""),
        ("token", "list", "--state-dir", ""),
        ("history", "--limit", "1.5"),
        ("run", "ci.py", "--once", "--port", "80.5"),
    ],
)
def test_options_of_commands_are_as_exact(
    pipeline_file: Write, pycurrent: Command, command: tuple[str, ...]
) -> None:
    """A variable that is not set does not put the state into the current folder."""
    folder = pipeline_file(FROBS).parent

    ended = pycurrent(*command)

    assert ended.status == 2
    assert "it is empty" in ended.err or "whole number" in ended.err
    assert not (folder / "db").exists()


@pytest.mark.parametrize("kind", ["object", "collections.abc.Callable[[], int]", "Nothing"])
def test_a_type_that_can_not_be_an_option_is_named(
    pipeline_file: Write, pycurrent: Command, kind: str
) -> None:
    """With its parameter, before anything runs."""
    pipeline_file(
        f"""
        import collections.abc
        import pycurrent as current

        class Nothing:
            pass

        def pipeline(thing: {kind}) -> current.Current[None]:
            return current.constant(None)
        """
    )

    ended = pycurrent("graph", "ci.py", "x")

    assert ended.status == 2
    assert "parameter 'thing' of pipeline in ci.py is of type" in ended.err


def test_a_file_in_a_package_imports_relative_to_it(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """Its package is the one that its folders with an `__init__.py` make."""
    here = pipeline_file(FROBS).parent
    package = here / "outer_of_test" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package.parent / "names.py").write_text("NAME = 'from the package'\n")
    (package / "pipe.py").write_text(
        "import pycurrent as current\nfrom ..names import NAME\n\n\n"
        "def pipeline() -> current.Current[str]:\n"
        "    return current.constant(NAME, label=NAME)\n"
    )

    ended = pycurrent("graph", "outer_of_test/inner/pipe.py")

    assert (ended.status, ended.err) == (0, "")
    assert "from the package" in ended.out


def test_a_module_may_stand_in_place_of_a_file(pipeline_file: Write, child: Start) -> None:
    """By its name, with the folder of the process first among those that it is looked for in."""
    here = pipeline_file(FROBS).parent
    package = here / "packed"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "names.py").write_text("NAME = 'from the package'\n")
    (package / "pipe.py").write_text(
        "import pycurrent as current\nfrom .names import NAME\n\n\n"
        "def release(version: int = 1) -> current.Current[str]:\n"
        "    return current.constant(NAME, label=f'{NAME} {version}')\n"
    )
    (package / "broken.py").write_text("import nowhere_at_all\n")

    for target in ("packed.pipe", "packed.pipe:release"):
        ended = child("-m", "pycurrent", "graph", target, "--version", "2").end()
        assert (ended.status, ended.err) == (0, "")
        assert "from the package 2" in ended.out
    for target, said in (
        ("packed.pip", "no pipeline in packed.pip: no such file exists; give the path of"),
        ("pakced.pipe", "no pipeline in pakced.pipe: no such file exists; give the path of"),
        ("packed.pipe:other", "packed.pipe has no function 'other': those that return a current"),
        ("packed.broken", "packed/broken.py:1: ModuleNotFoundError: No module named 'nowhere_"),
        ("packed", "no pipeline in packed: it is a directory"),
    ):
        ended = child("-m", "pycurrent", "graph", target).end()
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err
        assert "importlib" not in ended.err


def test_once_prints_the_last_lines_of_what_failed(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """Where only the output is kept, as by cron, it says why a command failed."""
    pipeline_file(
        r"""
        import pycurrent as current
        from pycurrent import Current, Job, Level, builder

        @builder("shout", level=Level.AVERAGE)
        async def shout(job: Job) -> None:
            job.secret("hunter2")
            script = 'seq 100; printf "\\033]0;title\\007the reason is hunter2\\n"; exit 3'
            await job.exec(["sh", "-c", script], show="shout")

        def pipeline() -> Current[None]:
            return shout()
        """
    )

    ended = pycurrent("run", "ci.py", "--once")

    assert ended.status == 1
    assert "    | the reason is ****\n" in ended.out
    assert "    | 100\n" in ended.out
    assert "    | 50\n" not in ended.out
    assert "title" not in ended.out


def test_a_function_on_currents_is_a_pipeline_too(pipeline_file: Write, pycurrent: Command) -> None:
    """Its parameters are options for the values that it takes."""
    pipeline_file(
        """
        from pycurrent import Job, Level, builder

        @builder("frob", level=Level.HARMLESS)
        async def frob(job: Job, key: str, count: int = 2) -> str:
            return key * count
        """
    )

    ended = pycurrent("run", "ci.py:frob", "--once", "--key", "a", "--count", "3")

    assert (ended.status, ended.out.splitlines()[-1][:3]) == (0, "ok:"), ended.err
    assert "frob a 3" in ended.out
