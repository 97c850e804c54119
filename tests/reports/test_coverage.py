"""Reports of coverage: what is read of them, how they are united, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pycurrent as current
from pycurrent import Failed, Failure, Job, Level, Ok
from pycurrent.reports import lcov
from pycurrent.reports.cobertura import read_cobertura
from pycurrent.reports.errors import ReportError
from pycurrent.reports.lcov import read_lcov
from pycurrent.reports.sources import Sources
from pycurrent.store import Coverage
from pycurrent.store.coverage import change_text, percent_text
from pycurrent.store.covered_lines import LAST_LINE, CoveredLines
from pycurrent.testing import Harness, HarnessFactory

SAMPLES = Path(__file__).parent / "coverage"
XML = """<coverage><packages><package><classes>
<class filename="{file}"><lines>{lines}</lines></class>
</classes></package></packages></coverage>"""
FEW = "SF:a.py\nDA:1,1\nDA:2,0\nend_of_record\n"


def reading(content: bytes) -> Callable[[int], bytes]:
    """What reads a report, in small pieces."""
    size = 7 + len(content) // 1000
    pieces = iter([content[at : at + size] for at in range(0, len(content), size)])
    return lambda size: next(pieces, b"")


def covered(*contents: str | bytes) -> CoveredLines:
    """The lines in reports, united."""
    into = CoveredLines()
    for content in contents:
        data = content.encode() if isinstance(content, str) else content
        if data.startswith(b"<"):
            read_cobertura(reading(data), into, lambda name, _: name, "report.xml")
        else:
            read_lcov(reading(data), into, lambda name: name)
    return into


def cobertura(**lines: int) -> str:
    """A report of one file, with how often each line was run."""
    told = "".join(f'<line number="{name[1:]}" hits="{hits}"/>' for name, hits in lines.items())
    return XML.format(file="a.py", lines=told)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("coverage-py.xml", Coverage(13, 11, 6, 4)),
        ("coverage-py.info", Coverage(13, 11, 6, 4)),
        ("gcovr.xml", Coverage(17, 14, 9, 6)),
        ("gcovr.info", Coverage(17, 14, 9, 6)),
        ("lcov.info", Coverage(17, 14, 9, 6)),
        ("istanbul.xml", Coverage(7, 5, 4, 2)),
        ("istanbul.info", Coverage(7, 5, 4, 2)),
        ("c8.xml", Coverage(13, 10, 4, 2)),
        ("c8.info", Coverage(13, 10, 4, 2)),
    ],
)
def test_samples_of_tools(name: str, expected: Coverage) -> None:
    """The figures are those that the tools tell themselves."""
    assert covered((SAMPLES / name).read_bytes()).figure() == expected


def test_lines_count_more_than_sums() -> None:
    """Sums follow rules of the tool, and there are none for several reports."""
    wrong = cobertura(l1=1, l2=0).replace("<coverage>", '<coverage lines-valid="9">')
    assert covered(wrong).figure() == Coverage(2, 1)


def test_sums_count_where_there_are_no_lines() -> None:
    """Of each report once, as it is not known of which lines they are."""
    sums = '<coverage lines-valid="9" lines-covered="3" branches-valid="2" branches-covered="1"/>'
    assert covered(sums, sums).figure() == Coverage(9, 3, 2, 1)
    assert covered("SF:a\nLF:4\nLH:2\nend_of_record").figure() == Coverage(4, 2)
    with pytest.raises(ReportError, match="it has no lines, and does not say how many there are"):
        covered('<coverage line-rate="0.5"/>')


def test_lines_of_methods_count_only_without_those_of_the_class() -> None:
    """As Istanbul has others there, and some tools have none in the class."""
    method = "<methods><method><lines><line number='5' hits='1'/></lines></method></methods>"
    lines = "<lines><line number='6' hits='0'/></lines>"
    for inside, expected in ((method + lines, Coverage(1, 0)), (method, Coverage(1, 1))):
        whole = f"<coverage><classes><class filename='a'>{inside}</class></classes></coverage>"
        assert covered(whole).figure() == expected


def test_classes_of_one_file_are_united() -> None:
    """As Java's inner classes have lines of the same file."""
    both = cobertura(l1=1, l2=0).replace(
        "</classes>", '<class filename="a.py"><lines><line number="2" hits="3"/></lines></class>'
        "</classes>",
    )  # fmt: skip
    assert covered(both).figure() == Coverage(2, 2)


def test_branches_that_are_not_named_are_never_counted_twice() -> None:
    """One of two in each of two reports may be the same one; by name they are told apart."""
    line = '<line number="1" hits="1" branch="true" condition-coverage="50% (1/2)"/>'
    xml = XML.format(file="a.py", lines=line)
    record = "SF:a.py\nDA:1,1\nBRDA:1,0,0,{}\nBRDA:1,0,1,{}\nend_of_record\n"
    first, second = record.format(1, 0), record.format("-", 4)
    assert covered(xml, xml).figure() == Coverage(1, 1, 2, 1)
    assert covered(xml, second).figure() == Coverage(1, 1, 2, 1)
    assert covered(first, second).figure() == Coverage(1, 1, 2, 2)


Found = dict[str, dict[int, tuple[bool, list[bool]]]]
"""By file and line: whether it was run, and each of its branches."""
FOUND: st.SearchStrategy[Found] = st.dictionaries(
    st.sampled_from(["a.py", "b.py", "ü.py"]),
    st.dictionaries(
        st.integers(1, 30), st.tuples(st.booleans(), st.lists(st.booleans(), max_size=10)),
        min_size=1,
    ),
)  # fmt: skip


def lcov_of(found: Found) -> str:
    """A report of it."""
    records = []
    for file, lines in found.items():
        records.append(f"TN:\nSF:{file}\n")
        for line, (is_run, branches) in lines.items():
            records.append(f"DA:{line},{int(is_run)}\n")
            records += [f"BRDA:{line},0,{n},{int(one)}\n" for n, one in enumerate(branches)]
        records.append("end_of_record\n")
    return "".join(records)


def model(reports: list[Found]) -> Coverage:
    """The union, said plainly."""
    keys = {(file, line) for found in reports for file in found for line in found[file]}
    total = Coverage()
    for file, line in keys:
        mine = [found[file][line] for found in reports if line in found.get(file, {})]
        widest = max(len(branches) for _, branches in mine)
        taken = sum(
            any(branches[n : n + 1] == [True] for _, branches in mine) for n in range(widest)
        )
        total += Coverage(1, any(is_run for is_run, _ in mine), widest, taken)
    return total


@given(st.lists(FOUND, max_size=4))
def test_reports_are_united_by_file_and_line(reports: list[Found]) -> None:
    """In whatever order, however often, and also by way of the database."""
    contents = [lcov_of(found) for found in reports]
    united = covered(*contents)
    assert united.figure() == model(reports)
    assert covered(*reversed(contents), *contents).figure() == united.figure()
    again = CoveredLines.of_bytes(bytes(united))
    for content in contents:
        again.unite(covered(content))
    assert again.figure() == united.figure()
    assert list(again.files()) == list(united.files())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<project/>", "it is not a report of coverage, but <project>"),
        ((SAMPLES / "clover.xml").read_text(), "in Clover's form, not in Cobertura's"),
        ("<coverage><packages>", "it breaks off at line 1, column 21, after 0 whole classes"),
        (cobertura(l1=1)[:-40], "it breaks off at line 3, column .*, after 1 whole classes"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><coverage>&b;</coverage>', "it declares entities"),
        ("<coverage>" * 200, "nested more than 100 deep"),
        ("SF:a.py\nDA:one,1\n", "line 2: 'one' is not a number"),
        (FEW + "SF:b.py\nDA:1,1\n", "it breaks off within b.py"),
        ("SF:" + "x" * (lcov.LONGEST_LINE + (1 << 17)), "a line of it has more than 1 MiB"),
    ],
)
def test_what_can_not_be_read_says_why(content: str, why: str) -> None:
    """With the place, where there is one."""
    with pytest.raises(ReportError, match=why):
        covered(content)


def test_lines_that_no_source_has_do_not_count() -> None:
    """They would only take memory."""
    report = f"SF:a\nDA:{LAST_LINE + 1},1\nDA:0,1\nDA:3,-1\nBRDA:0,0,0,1\nend_of_record"
    assert covered(report).figure() == Coverage(1, 0)


def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that is larger is refused where it passes the limit."""
    monkeypatch.setattr("pycurrent.store.covered_lines.MOST_BYTES", 1000)
    into = CoveredLines()
    many = "".join(f"SF:{n}.py\nDA:1,1\nend_of_record\n" for n in range(10))
    with pytest.raises(ReportError, match="its lines take more than"):
        read_lcov(reading(many.encode()), into, lambda name: name)
    assert len([*into.files()]) == 3


def test_files_are_found_where_the_tool_ran(tmp_path: Path) -> None:
    """Else two packages of one repository would be one, as both have an index.js."""
    for name in ("packages/a/src/index.js", "packages/b/src/index.js", "lib/x.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    a = Sources(tmp_path, tmp_path / "packages/a/coverage/lcov.info")
    top = Sources(tmp_path, tmp_path / "coverage.xml")
    assert a.path("src/index.js") == "packages/a/src/index.js"
    assert a.path("lib/x.py") == "lib/x.py"
    assert a.path("src/gone.js") == "src/gone.js"
    assert top.path("x.py", [str(tmp_path / "lib")]) == "lib/x.py"
    assert top.path("x.py", ["lib"]) == "lib/x.py"
    assert top.path("y.py", ["/app/lib"]) == "/app/lib/y.py"
    assert top.path(str(tmp_path / "lib/x.py")) == "lib/x.py"
    assert top.path("lib\\x.py") == "lib/x.py"
    assert top.path("../../etc/passwd") == "../../etc/passwd"
    with pytest.raises(ReportError, match="has a name of 5,000 characters"):
        top.path("x" * 5000)


@pytest.mark.parametrize(
    ("percent", "shown"),
    [(100, "100.0 %"), (99.99, "99.9 %"), (84.62, "84.6 %"), (0.01, "0.1 %"), (0, "0.0 %")],
)
def test_nothing_is_rounded_to_all_or_none(percent: float, shown: str) -> None:
    """100 % says that nothing is missing."""
    assert percent_text(percent) == shown


def test_changes_have_a_sign() -> None:
    """Also the one that is none."""
    assert [change_text(change) for change in (0.34, -1.25, 0.02, -0.02)] == [
        "+0.3", "-1.2", "±0.0", "±0.0",
    ]  # fmt: skip


# In jobs


def reporting(**contents: str) -> Callable[[], current.Current[str]]:
    """A pipeline of one job, which reports each of these files by itself, and then all."""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> str:
        async with job.tempdir() as folder:
            for name, content in contents.items():
                (folder / name).write_text(content)
                await job.report(folder, coverage=name)
            reported = await job.report(folder, coverage="**")
            if reported.coverage is None or (reported.coverage.percent or 0) < 80:
                raise Failure(f"only {reported.coverage}")
            return str(reported.coverage)

    return lambda: check("all")


def of_job(h: Harness) -> list[tuple[str, Coverage]]:
    """The files that the job has covered."""
    found = h.engine.coverage.files(h.find("check all").id)
    return [(file.path, file.coverage) for file in found]


async def test_coverage_is_recorded(harness: HarnessFactory) -> None:
    """Of all reports of the job together, by file."""
    more = "SF:b.py\nDA:1,1\nDA:2,1\nDA:3,1\nend_of_record\n"
    async with harness(reporting(a=FEW, b=FEW.replace("2,0", "2,7"), c=more)) as h:
        await h.settle()
        assert h.output == Ok("100.0 % of 5 lines")
        assert "Coverage: 50.0 % of 2 lines (a)" in h.log("check")
        assert "Coverage: 100.0 % of 5 lines (a, b, c)" in h.log("check")
        assert of_job(h) == [("a.py", Coverage(2, 2)), ("b.py", Coverage(3, 3))]
        report = h.engine.coverage.of_job(h.find("check all").id)
        assert report is not None
        assert (report.coverage, report.change) == (Coverage(5, 5), None)


async def test_an_author_may_fail_below_a_threshold(harness: HarnessFactory) -> None:
    """By the coverage that the report returns; it is recorded all the same."""
    async with harness(reporting(a=FEW)) as h:
        await h.settle()
        assert h.output == Failed("only 50.0 % of 2 lines")
        assert of_job(h) == [("a.py", Coverage(2, 1))]


async def test_what_breaks_off_fails_the_job(harness: HarnessFactory) -> None:
    """With the name of the file; the files before are recorded."""
    async with harness(reporting(a=f"{FEW}SF:b.py\n")) as h:
        await h.settle()
        assert h.output == Failed("the report a can't be read: it breaks off within b.py")
        assert of_job(h) == [("a.py", Coverage(2, 1))]


async def test_other_files_are_left_out(harness: HarnessFactory) -> None:
    """As there are reports of tests beside, and pictures."""
    async with harness(reporting(a="hello", b="<testsuite/>")) as h:
        await h.settle()
        assert h.output == Failed("only None")
        log = h.log("check")
        assert "Left out: a: it is neither Cobertura's XML nor lcov's" in log
        assert "Left out: b: it is not a report of coverage, but <testsuite>" in log
        assert "No report of coverage matches **" in log


async def test_tests_and_coverage_in_one_call(harness: HarnessFactory) -> None:
    """The job gets both, and fails by its tests; secrets are masked in paths, too."""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> None:
        job.secret("hunter22hunter22")
        async with job.tempdir() as folder:
            (folder / "a.xml").write_text(
                "<testsuite><testcase name='t'><failure message='no'/></testcase></testsuite>"
            )
            (folder / "lcov.info").write_text(FEW.replace("a.py", "hunter22hunter22.py"))
            await job.report(folder, junit="*.xml", coverage="lcov.info", required=True)

    async with harness(lambda: check("all")) as h:
        await h.settle()
        assert h.output == Failed("1 of 1 test failed: t: no")
        assert of_job(h) == [("****.py", Coverage(2, 1))]


async def test_a_required_report_that_is_missing(harness: HarnessFactory) -> None:
    """Each kind that is asked for has to be there."""

    @current.builder("check", level=Level.HARMLESS)
    async def check(job: Job, key: str) -> None:
        async with job.tempdir() as folder:
            (folder / "a.xml").write_text("<testsuite/>")
            await job.report(folder, junit="*.xml", coverage="*.info", required=True)

    async with harness(lambda: check("all")) as h:
        await h.settle()
        assert h.output == Failed("no report of coverage matches *.info")
