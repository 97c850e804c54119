"""Reading SARIF: what tools write, the rules of the standard, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.reports.errors import ReportError
from pycurrent.reports.sarif import LARGEST, read_sarif
from pycurrent.store import Annotation, AnnotationLevel

SAMPLES = Path(__file__).parent / "samples"
SHOP = Path("/home/ci/shop")
"""Where the tools ran that have written the samples."""


def report(folder: Path, *results: Mapping[str, Any], **run: Any) -> Path:
    """A report of one run, with this in it."""
    path = folder / "report.sarif"
    driver = run.pop("driver", {})
    tool = {"driver": {"name": "lint", **driver}, "extensions": run.pop("extensions", [])}
    results_ = [{"message": {"text": "bad"}, **result} for result in results]
    log = {"version": "2.1.0", "runs": [{"tool": tool, "results": results_, **run}]}
    path.write_text(json.dumps(log))
    return path


def at(uri: str | None = None, **location: Any) -> dict[str, Any]:
    """A result at a place, in its third line."""
    address = {**({} if uri is None else {"uri": uri}), **location}
    place = {"artifactLocation": address, "region": {"startLine": 3}}
    return {"locations": [{"physicalLocation": place}]}


def read(path: Path, folder: Path | None = None) -> list[Annotation]:
    return [*read_sarif(path, path.parent if folder is None else folder)]


def test_a_report_of_ruff() -> None:
    """Absolute addresses become paths within the checkout."""
    found = read(SAMPLES / "ruff.sarif", SHOP)
    assert [one.title for one in found] == ["F401", "S307", "S602", "S101", "F821", "S107"]
    assert found[0] == Annotation(
        "src/shop.py", 1, "`os` imported but unused", column=8, title="F401", tool="ruff"
    )


def test_a_report_of_bandit() -> None:
    """Where a result has no level it is a warning."""
    found = read(SAMPLES / "bandit.sarif", SHOP)
    assert [(one.level.value, one.place) for one in found] == [
        ("notice", "src/shop.py:2"),
        ("warning", "src/shop.py:6"),
        ("error", "src/shop.py:7"),
        ("notice", "src/shop.py:8"),
    ]


def test_a_report_of_eslint() -> None:
    """What a comment in the code accepts is left out."""
    found = read(SAMPLES / "eslint.sarif", SHOP)
    assert [one.title for one in found] == [
        *("no-unused-vars", "no-unused-vars", "no-undef", "eqeqeq", "no-undef")
    ]


RULES = [
    {"id": "A", "defaultConfiguration": {"level": "error"}},
    {"id": "B", "defaultConfiguration": {}},
    {"id": "C", "messageStrings": {"m": {"text": "{0} is no {1}, {9}"}}},
    {"id": "D", "defaultConfiguration": {"level": "none"}},
]


@pytest.mark.parametrize(
    ("result", "level"),
    [
        ({"ruleId": "A"}, "error"),
        ({"ruleId": "A/1"}, "error"),
        ({"ruleIndex": 0}, "error"),
        ({"rule": {"id": "A"}}, "error"),
        ({"rule": {"index": 0, "toolComponent": {"index": 0}}}, "notice"),
        ({"ruleId": "A", "level": "note"}, "notice"),
        ({"ruleId": "B"}, "warning"),
        ({"ruleId": "unknown"}, "warning"),
        ({"ruleId": "D"}, None),
        ({"level": "none"}, None),
        ({"kind": "pass"}, None),
        ({"kind": "review"}, "notice"),
        ({"baselineState": "absent"}, None),
        ({"suppressions": []}, "warning"),
        ({"suppressions": [{"kind": "inSource"}]}, None),
        ({"suppressions": [{"status": "accepted"}, {"status": "rejected"}]}, "warning"),
        ({"suppressions": [{"status": "underReview"}]}, "warning"),
    ],
)
def test_levels(tmp_path: Path, result: dict[str, Any], level: str | None) -> None:
    """By the result, by its rule, or a warning; None for what is no finding, or accepted."""
    extension = {"rules": [{"id": "X", "defaultConfiguration": {"level": "note"}}]}
    path = report(tmp_path, result, driver={"rules": RULES}, extensions=[extension])
    assert [one.level.value for one in read(path)] == ([] if level is None else [level])


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"text": "see [this `x`](1) and [that](https://a.invalid)"}, "see this `x` and that"),
        ({"id": "m", "arguments": ["1", "2"]}, "1 is no 2, {9}"),
        ({"id": "unknown"}, "C"),
        ({"text": "  "}, "C"),
        ({"text": "x" * 3000}, "x" * 2000 + "…"),
    ],
)
def test_messages(tmp_path: Path, message: dict[str, Any], text: str) -> None:
    """Links are their texts, placeholders are filled; without words the rule has to do."""
    path = report(tmp_path, {"ruleId": "C", "message": message}, driver={"rules": RULES})
    assert read(path)[0].message == text


BASES = {
    "ROOT": {"uri": "file:///home/ci/shop/"},
    "SRC": {"uri": "src/", "uriBaseId": "ROOT"},
    "LOOP": {"uriBaseId": "LOOP"},
    "ODD": {"uri": "http://[/"},
}


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (at("src/a.py"), "src/a.py"),
        (at("./src/../a%20b.py"), "a b.py"),
        (at("file:///home/ci/shop/a.py"), "a.py"),
        (at("file://localhost/home/ci/shop/a.py"), "a.py"),
        (at("/home/ci/shop/a.py"), "a.py"),
        (at("a.py", uriBaseId="SRC"), "src/a.py"),
        (at("a.py", uriBaseId="%SRCROOT%"), "a.py"),
        (at("a.py", uriBaseId="LOOP"), "a.py"),
        (at("a.py", uriBaseId="ODD"), "a.py"),
        (at(index=0), "b.py"),
        (at("file:///home/ci/shop"), None),
        (at("file:///home/ci/shop2/a.py"), None),
        (at("file:///home/ci/shop/../a.py"), None),
        (at("file://other/home/ci/shop/a.py"), None),
        (at("https://a.invalid/a.py"), None),
        (at("../a.py"), None),
        (at("a%0A.py"), None),
        (at("http://[/"), None),
        (at(index=7), None),
        ({"locations": [{}]}, None),
    ],
)
def test_places(tmp_path: Path, place: dict[str, Any], path: str | None) -> None:
    """Within the folder of the tool, or none; then the line says nothing either."""
    artifacts = [{"location": {"uri": "b.py", "uriBaseId": "ROOT"}}]
    made = report(tmp_path, place, originalUriBaseIds=BASES, artifacts=artifacts)
    (found,) = read(made, SHOP)
    assert (found.path, found.line) == (path, None if path is None else 3)
    assert found.message.endswith("bad")


def test_a_folder_that_a_link_leads_to(tmp_path: Path) -> None:
    """Some tools resolve it, and some don't."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    uris = [f"{tmp_path.as_uri()}/{name}/a.py" for name in ("real", "link")]
    path = report(tmp_path, *map(at, uris))
    assert [one.path for one in read(path, tmp_path / "link")] == ["a.py", "a.py"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"<x/>", "it is not SARIF: JSON is malformed"),
        (b'{"version": "2.1.0", "runs": [{"tool"', "it is not SARIF: Input data was truncated"),
        (b"[]", "it is not SARIF: Expected `object`"),
        (b'{"version": "1.0.0", "runs": []}', "it is SARIF 1.0.0, and only 2.1.0 is read"),
        (b"\xff\xfe{\x00}\x00", "it is not SARIF"),
        (b"[" * 100_000, "it is not SARIF"),
        (b" " * (LARGEST + 1), "it has more than 20 MiB"),
    ],
)
def test_what_can_not_be_read(tmp_path: Path, content: bytes, problem: str) -> None:
    """It says why."""
    path = tmp_path / "report.sarif"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=problem):
        read(path)


def test_results_before_a_damaged_one(tmp_path: Path) -> None:
    """They count."""
    path = report(tmp_path, {}, {"message": 3})
    found = read_sarif(path, tmp_path)
    assert next(found).message == "bad"
    with pytest.raises(ReportError, match="its result 2 is damaged: Expected `object`"):
        next(found)


def test_no_results_and_a_mark_of_the_encoding(tmp_path: Path) -> None:
    """Null says that nothing was looked at."""
    path = tmp_path / "report.sarif"
    run = b'{"tool": {"driver": {"name": "x"}}, "results": null}'
    path.write_bytes(b'\xef\xbb\xbf{"version": "2.1.0", "runs": [%s]}' % run)
    assert read(path) == []


@pytest.fixture(scope="module")
def one_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sarif")


@given(uri=st.text(max_size=30), base=st.text(max_size=30))
def test_no_address_leads_out(one_folder: Path, uri: str, base: str) -> None:
    """Whatever it is, the path is within the folder, or there is none."""
    bases = {"B": {"uri": base}}
    (found,) = read(report(one_folder, at(uri, uriBaseId="B"), originalUriBaseIds=bases))
    if found.path is not None:
        assert (one_folder / found.path).resolve().is_relative_to(one_folder.resolve())
    assert found.level is AnnotationLevel.WARNING
