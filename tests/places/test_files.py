"""Files of jobs are where their commands run, and the same at each place."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pycurrent.engine import Job
from pycurrent.errors import UsageError
from pycurrent.plugins import ssh
from pycurrent.term import Failed, Ok

from ..plugins.sshd import Sshd
from .at import At, printed

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


async def test_temporary_folders_are_where_commands_run(at: At) -> None:
    """Each is new and empty, and gone after its block."""

    async def work(job: Job) -> str:
        async with job.tempdir("a-") as one, job.tempdir("a-") as other:
            assert one != other
            await job.exec(["touch", one / "made"])
            assert await job.glob(other, "*") == []
            assert await job.glob(one, "*") == [one / "made"]
        return str(await job.glob(one.parent, "a-*"))

    assert (await at.ended(work))[0] == Ok("[]")


async def test_files_are_written_and_read(at: At) -> None:
    """Texts and bytes, of any content and size; one that is there is replaced, with its mode."""
    data = bytes(range(256)) * 4000

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.write_file(folder / "ä ☃", "text ☃")
            assert await job.read_file(folder / "ä ☃") == "text ☃".encode()
            await job.write_file(folder / "data", data)
            await job.exec(["chmod", "751", folder / "data"])
            await job.write_file(folder / "data", data[::-1])
            assert await job.read_file(folder / "data") == data[::-1]
            return await job.check_output(["stat", "-c", "%a %s", folder / "data"])

    assert (await at.ended(work))[0] == Ok(f"751 {len(data)}\n")


async def test_a_file_that_is_not_there_is_an_error_of_the_system(at: At) -> None:
    """As in Python: with its number."""

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            with pytest.raises(FileNotFoundError):
                await job.read_file(folder / "missing")
            with pytest.raises(FileNotFoundError):
                await job.write_file(folder / "missing" / "file", "")
        return "done"

    assert (await at.ended(work))[0] == Ok("done")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*", ["a.txt", "sub"]),
        ("*.txt", ["a.txt"]),
        ("**/*.txt", ["a.txt", "sub/b.txt", "sub/deep/c.txt"]),
        ("sub/*", ["sub/b.txt", "sub/deep"]),
        ("none/*", []),
    ],
)
async def test_files_are_found_by_patterns(at: At, pattern: str, found: list[str]) -> None:
    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.exec(["mkdir", "-p", "sub/deep"], cwd=folder)
            await job.exec(["touch", "a.txt", "sub/b.txt", "sub/deep/c.txt"], cwd=folder)
            paths = await job.glob(folder, pattern)
            return str([str(path.relative_to(folder)) for path in paths])

    assert (await at.ended(work))[0] == Ok(str(found))


@pytest.mark.every_place
async def test_what_is_saved_is_placed_again(at: At) -> None:
    """With modes, links and empty folders, also files that are in the way."""
    script = """
        mkdir -p dist/empty dist/bin && echo one > dist/one && echo two > dist/bin/two
        chmod 755 dist/bin/two && ln -s ../one dist/bin/link && echo no > other
    """
    look = "find . ! -type d | sort; stat -c %a bin/two; cat bin/link; test -d empty"

    async def work(job: Job) -> str:
        async with job.tempdir() as made:
            await job.exec(["sh", "-ec", script], cwd=made)
            tree = await job.save(made / "dist")
        async with job.tempdir() as placed:
            await job.write_file(placed / "one", "in the way")
            await job.put(tree, placed)
            return await job.check_output(["sh", "-c", look], cwd=placed)

    assert (await at.ended(work))[0] == Ok("./bin/link\n./bin/two\n./one\n755\none\n")


async def test_patterns_select_what_is_saved(at: At) -> None:
    """One that matches nothing is in the log, or a failure."""

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.exec(["sh", "-c", "mkdir a b; touch a/1.o a/1.c b/2.o"], cwd=folder)
            tree = await job.save(folder, "a/*.o", "none/*")
            assert tree.count == 1
            await job.save(folder, "none/*", required=True)
        return "done"

    output, log = await at.ended(work)
    assert isinstance(output, Failed)
    assert "matches none/*" in output.message
    assert "Nothing in " in log


@pytest.mark.parametrize(
    "what", ["no folder", "no reports", "folder in the way", "file in the way"]
)
async def test_what_can_t_be_saved_or_placed_is_a_failure(at: At, what: str) -> None:
    """Of the work: it is not tried again, as what a machine lacks is."""

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.write_file(folder / "file", "content")
            tree = await job.save(folder)
            await job.exec(["mkdir", "-p", "there/file/full"], cwd=folder)
            match what:
                case "no folder":
                    doing: Awaitable[object] = job.save(folder / "missing")
                case "no reports":
                    doing = job.report(folder / "missing", junit="*.xml")
                case "folder in the way":
                    doing = job.put(tree, folder / "there")
                case _:
                    doing = job.put(tree, folder / "file")
            await doing
        return "done"

    output, log = await at.ended(work)
    assert isinstance(output, Failed)
    assert "Job failed: " in log


async def test_single_files_are_saved_and_placed(at: At) -> None:
    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.write_file(folder / "file", "content")
            saved = await job.save_file(folder / "file")
            await job.put(saved, folder / "new" / "name")
            return (await job.read_file(folder / "new" / "name")).decode()

    assert (await at.ended(work))[0] == Ok("content")


async def test_the_same_files_are_the_same_tree(at: At, tmp_path: Path) -> None:
    """Wherever they were made: it is their content that counts."""

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.write_file(folder / "file", "content")
            return str(await job.save(folder))

    here = At(None, tmp_path / "here")
    assert (await at.ended(work))[0] == (await here.ended(work))[0]


async def test_a_folder_is_sent_from_the_engine_s_machine(at: At, tmp_path: Path) -> None:
    """All that is in it, links as links; what is there stays, and the source is not copied into
    itself.
    """
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "file").write_text("content")
    (source / "link").symlink_to("sub/file")

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.write_file(folder / "stays", "")
            await job.send(source, folder)
            if job.place is None:
                await job.send(source, source / "copy")
                assert not (source / "copy" / "copy").exists()
            return await job.check_output(["sh", "-c", "cat link; find . | sort"], cwd=folder)

    assert (await at.ended(work))[0] == Ok("content.\n./link\n./stays\n./sub\n./sub/file\n")


def kept(home: Path) -> list[Path]:
    """The files in which a host keeps the contents that it was sent."""
    return [path for path in (home / ".cache/pycurrent/files").rglob("*") if path.is_file()]


async def test_contents_that_a_host_has_are_not_sent_again(
    hosts: Callable[..., ssh.Hosts], server: Sshd, home: Path, tmp_path: Path
) -> None:
    """They are taken from what it keeps, as is the same content under other names. What is damaged
    there is sent again, and so is what has gone.
    """
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    large = os.urandom(300_000)
    for name in ("one", "sub/two"):
        (source / name).write_bytes(large)
    (source / "small").write_text("small")
    (source / "sub" / "two").chmod(0o751)
    at = At(hosts(server, capacity=4), tmp_path)

    async def sent(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.write_file(folder / "one", "in the way")
            await job.send(source, folder)
            for name in ("one", "sub/two"):
                assert await job.read_file(folder / name) == large
            await job.exec(["sh", "-c", "echo changed > one"], cwd=folder)
            return await job.check_output(["stat", "-c", "%a", folder / "sub/two"])

    assert (await at.ended(sent))[0] == Ok("751\n")
    (content,) = kept(home)
    assert content.read_bytes() == large
    assert content.stat().st_mode & 0o777 == 0o600

    async def again(job: Job) -> str:
        os.utime(content, (0, 0))
        await sent(job)
        assert content.stat().st_mtime > 0
        content.write_bytes(large[::-1])
        await sent(job)
        assert content.read_bytes() == large
        content.unlink()
        await sent(job)
        assert content.read_bytes() == large
        return "done"

    again_at = At(at.pool, tmp_path / "again")
    assert (await again_at.ended(again))[0] == Ok("done")


async def test_reports_are_read(at: At) -> None:
    """The failure names the test."""
    report = '<testsuite><testcase name="a" classname="b"><failure message="no"/></testcase>'

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            await job.write_file(folder / "out.xml", report + "</testsuite>")
            await job.report(folder, junit="*.xml")
        return "done"

    output, _ = await at.ended(work)
    assert isinstance(output, Failed)
    assert output.message == "1 of 1 test failed: a: no"


async def test_no_function_takes_a_path_of_another_place(at: At) -> None:
    """The error says what to use instead; on this machine it is a path like any other."""

    async def work(job: Job) -> str:
        async with job.tempdir() as folder:
            path = folder / "file"
            await job.write_file(path, "content")
            if at.pool is None:
                return path.read_text()
            uses: list[Callable[[], object]] = [
                path.read_text,
                path.exists,
                path.open,
                lambda: list(folder.iterdir()),
            ]
            for use in uses:
                with pytest.raises(UsageError, match=r"another place: use job\.read_file"):
                    use()
            await job.exec(["echo", str(path), path])
            return (await job.read_file(path)).decode()

    output, log = await at.ended(work)
    assert output == Ok("content")
    assert at.pool is None or len(printed(log)) == 1
