"""JUnit XML as tools write it, and as they should not."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from pycurrent.reports import junit
from pycurrent.reports.errors import OtherReport, ReportError
from pycurrent.reports.junit import read_junit
from pycurrent.store import TestCase, TestResult

SAMPLES = Path(__file__).parent / "samples"
"""Written by the tools themselves, for a few tests of a shop."""

PASSED, FAILED, ERROR, SKIPPED = TestResult

Write = Callable[[str | bytes], Path]


@pytest.fixture
def report(tmp_path: Path) -> Write:
    """Writes a report."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "report.xml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def cases(path: Path) -> list[TestCase]:
    return [case for some in read_junit(path) for case in some]


def only(path: Path) -> TestCase:
    (case,) = cases(path)
    return case


def results(name: str) -> dict[str, TestResult]:
    return {case.full_name: case.result for case in cases(SAMPLES / name)}


def said(name: str) -> dict[str, str]:
    """The first two lines of what tests say, by their names."""
    found = {case.name: case.message for case in cases(SAMPLES / name)}
    return {
        name: " ".join(text.split("\n")[:2]) for name, text in found.items() if text is not None
    }


def test_pytest() -> None:
    """An error of a fixture is one, and an expected failure counts as skipped."""
    assert results("pytest.xml") == {
        "test_shop: test_adds": PASSED,
        "test_shop: test_price": FAILED,
        "test_shop: test_odd[0]": FAILED,
        "test_shop: test_odd[1]": PASSED,
        "test_shop: test_store": ERROR,
        "test_shop: test_closed": SKIPPED,
        "test_shop: test_later": SKIPPED,
        "test_shop: test_prints": FAILED,
        "test_shop: test_sometimes": PASSED,
    }
    assert said("pytest.xml") == {
        "test_price": "AssertionError: the price   is wrong",
        "test_odd[0]": "assert 0",
        "test_store": 'failed on setup with "RuntimeError: no database"',
        "test_closed": "not on Sundays",
        "test_prints": "assert [1, 2] == [1, 3]   ",
    }


def test_pytest_with_places_and_output() -> None:
    """The older form says where tests stand. What they have printed is passed over."""
    price = cases(SAMPLES / "pytest-xunit1.xml")[1]
    assert (price.file, price.line) == ("test_shop.py", 5)
    assert price.text is not None
    assert price.text.startswith("def test_price():")
    assert price.text.endswith("test_shop.py:8: AssertionError")


def test_jest() -> None:
    """It has the message in the text, before the frames of the stack."""
    assert results("jest.xml") == {
        "shop adds": PASSED,
        "shop prices in euros": FAILED,
        "shop prices in pounds": SKIPPED,
        "shop prices in yen": PASSED,
        " throws": FAILED,
    }
    euros = cases(SAMPLES / "jest.xml")[1]
    assert euros.file == "shop.test.js"
    assert euros.message == (
        "Error: expect(received).toBe(expected) // Object.is equality\n"
        'Expected: "4 €"\nReceived: "3 €"'
    )


def test_bats() -> None:
    """It says in the text where a test has failed."""
    assert results("bats.xml") == {
        "shop.bats: adds": PASSED,
        "shop.bats: price & <tax>": FAILED,
        "shop.bats: closed": SKIPPED,
    }
    assert said("bats.xml")["closed"] == "not on Sundays"
    assert said("bats.xml")["price & <tax>"].startswith("(in test file bats/shop.bats, line 2)")


def test_googletest() -> None:
    """A test that it did not run is skipped; of several failures the first one counts."""
    assert results("gtest.xml") == {
        "Shop: Adds": PASSED,
        "Shop: Price": FAILED,
        "Shop: DISABLED_Later": SKIPPED,
        "Shop: Closed": SKIPPED,
        "Numbers/Odd: IsOdd/0": FAILED,
        "Numbers/Odd: IsOdd/1": PASSED,
    }
    assert said("gtest.xml")["Price"] == "gtest/shop.cc:3 Expected equality of these values:"


def test_go() -> None:
    """The message is in the text, after lines that say which test runs."""
    assert results("gotestsum.xml") == {
        "example.org/shop: TestPrice/in_euros": FAILED,
        "example.org/shop: TestPrice": FAILED,
        "example.org/shop: TestPanics": FAILED,
        "example.org/shop: TestClosed": SKIPPED,
        "example.org/shop: TestAdds": PASSED,
        "example.org/shop: TestPrice/in_pounds": PASSED,
    }
    assert said("gotestsum.xml") == {
        "TestPrice/in_euros": "shop_test.go:8: price is 3, want 4",
        "TestPrice": "Failed",
        "TestPanics": "panic: no database [recovered] panic: no database",
        "TestClosed": "shop_test.go:12: not on Sundays",
    }


def test_nextest() -> None:
    """A test that passed when it was tried again is flaky, and says why it failed before."""
    assert results("nextest.xml") == {
        "shop: tests::adds": PASSED,
        "shop: tests::sometimes": PASSED,
        "shop: tests::price": FAILED,
    }
    retries = {case.name: (case.retries, case.is_flaky) for case in cases(SAMPLES / "nextest.xml")}
    assert retries == {
        "tests::adds": (0, False),
        "tests::sometimes": (1, True),
        "tests::price": (1, False),
    }
    assert said("nextest.xml")["tests::sometimes"].endswith(
        "panicked at src/lib.rs:15:9: came too late"
    )


def test_surefire() -> None:
    """It tries again what has failed, and puts a stack and a print into one element."""
    assert results("surefire.xml") == {
        "shop.ShopTest: closed": SKIPPED,
        "shop.ShopTest: sometimes": PASSED,
        "shop.ShopTest: adds": PASSED,
        "shop.ShopTest: price": FAILED,
        "shop.ShopTest: store": ERROR,
    }
    found = {case.name: case for case in cases(SAMPLES / "surefire.xml")}
    assert {name: case.retries for name, case in found.items() if case.retries} == {
        "sometimes": 1,
        "price": 1,
        "store": 1,
    }
    assert found["price"].message == "expected: <3 €> but was: <4 €>"
    sometimes = found["sometimes"]
    assert sometimes.is_flaky
    assert sometimes.text is not None
    assert sometimes.text.startswith("org.opentest4j.AssertionFailedError: came too late")
    assert "system-out" not in sometimes.text


def test_times_of_other_countries(report: Write) -> None:
    """Thousands may be marked, and a comma may stand for the point; nothing else is a time."""
    times = ("1,234.5", "0,5", "3", "-1", "nan", "1e99", "soon")
    tests = "".join([f'<testcase name="a" time="{time}"/>' for time in times])
    took = [case.took for case in cases(report(f"<testsuite>{tests}</testsuite>"))]
    assert took == [1234.5, 0.5, 3.0, None, None, None, None]


def test_nested_suites_and_what_is_not_said(report: Write) -> None:
    """A test without a class is of the suite that has it; times and names may be missing."""
    path = report(
        '<testsuites><testsuite name="a"><testsuite name="b"><testcase name="x"/></testsuite>'
        '<testcase name="x" time="soon"/></testsuite><testcase/></testsuites>'
    )
    assert [(case.suite, case.name, case.took) for case in cases(path)] == [
        ("b", "x", None),
        ("a", "x", None),
        ("", "(a test without a name)", None),
    ]


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "utf-16"), ("latin-1", "iso-8859-1"),
     ("cp1252", "windows-1252")],
)  # fmt: skip
def test_encodings(report: Write, encoding: str, declared: str) -> None:
    """Those that XML has, and those of one byte for a character that Python has."""
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    path = report(f'{head}<testsuite><testcase name="Prüfung"/></testsuite>'.encode(encoding))
    assert only(path).name == "Prüfung"


def test_control_characters(report: Write) -> None:
    """Tools print colours as they are, which is no XML: they are left out."""
    path = report(
        '<testsuite><testcase name="x"><failure message="\x1b[31mred\x1b[0m\x00">'
        "\x1b[1mbold\x1b[0m\x08</failure></testcase></testsuite>"
    )
    assert (only(path).message, only(path).text) == ("red", "bold")


def test_long_texts_are_cut_in_their_middle(report: Write) -> None:
    """So the beginning and the end are there; names that are cut stay different."""
    path = report(
        f'<testsuite><testcase name="{"n" * 9000}1"><failure message="{"m" * 9000}">'
        f"begin{'x' * 500_000}end</failure></testcase>"
        f'<testcase name="{"n" * 9000}2"/></testsuite>'
    )
    first, second = cases(path)
    assert first.text is not None
    assert first.text.startswith("begin")
    assert first.text.endswith("end")
    assert len(first.text) < junit.LONGEST_TEXT + 10
    assert first.message is not None
    assert len(first.message) < junit.LONGEST_MESSAGE + 10
    assert first.name != second.name


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "it is empty"),
        ("hello", "it is not XML"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "it is not XML"),
        ("<testsuite><testcase name='a'/><testcase", "it breaks off at line 1, column .*, after 1"),
        ("<testsuite><testcase name='a'/>", "it breaks off at line 1, column .*, after 1"),
        ("<testsuite><testcase name='a'></x></testsuite>", "mismatched tag at line 1"),
        ("<testsuite>&nbsp;</testsuite>", "undefined entity at line 1"),
        ("<?xml version='1.0' encoding='nope'?><testsuite/>", "unknown encoding"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><testsuite>&b;</testsuite>', "it declares entities"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><testsuite/>', "entities"),
        ("<testsuite>" * 200, "nested more than 100 deep"),
    ],
)
def test_what_can_not_be_read_says_why(report: Write, content: str | bytes, why: str) -> None:
    """And where; nothing else is raised."""
    with pytest.raises(ReportError, match=why):
        cases(report(content))


def test_what_comes_before_a_break_is_whole(report: Write) -> None:
    """The tests that were read are there when the break is met."""
    parts = read_junit(report("<testsuite><testcase name='a'/><testcase name='b'/><test"))
    assert [case.name for case in next(parts)] == ["a", "b"]
    with pytest.raises(ReportError, match="after 2 whole tests"):
        next(parts)


def test_what_comes_before_something_refused_is_whole(report: Write) -> None:
    """Also where it was read in one go with that."""
    path = report(f"<testsuite><testcase name='a'/>{'<testsuite>' * 200}")
    parts = read_junit(path)
    assert [case.name for case in next(parts)] == ["a"]
    with pytest.raises(ReportError, match="nested more than 100 deep"):
        next(parts)


def test_other_xml_is_no_report(report: Write) -> None:
    """A pattern for all XML finds the files of Maven, too."""
    with pytest.raises(OtherReport, match="it is not a report of tests, but <project>"):
        cases(report('<project xmlns="http://maven.apache.org/POM/4.0.0"><a/></project>'))


def test_a_large_tag_is_refused(report: Write) -> None:
    """As it would have to be in memory as a whole."""
    with pytest.raises(ReportError, match="a tag of it has more than 4 MiB"):
        cases(report(f'<testsuite><testcase name="{"x" * (6 << 20)}"/></testsuite>'))


def test_only_files_are_opened(tmp_path: Path) -> None:
    """Not a folder, nor a pipe that nobody writes to, which would be waited for."""
    os.mkfifo(tmp_path / "pipe.xml")
    with pytest.raises(ReportError, match="it is not a file"):
        cases(tmp_path / "pipe.xml")
    with pytest.raises(ReportError, match="No such file"):
        cases(tmp_path / "gone.xml")


def test_memory_is_flat(report: Write) -> None:
    """Whatever the number of tests, and however much they print."""
    one = f'<testcase name="a"><system-out>{"x" * 2000}</system-out></testcase>'
    path = report(f"<testsuite>{one * 10_000}</testsuite>")
    tracemalloc.start()
    try:
        count = sum(len(some) for some in read_junit(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 10_000
    assert peak < 2 << 20
