"""Fingerprints: what makes two messages the same, and what doesn't."""

from __future__ import annotations

import uuid
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.explain.fingerprints import LONGEST_FORM, fingerprint

UNITS = {"ms", "ns", "hr", "hrs", "kb"}
"""Words that belong to the number before them."""
WORDS = st.text("bcfghjklmnoprstvwxyz", min_size=2, max_size=9).filter(lambda w: w not in UNITS)
HEX = "0123456789abcdef"
NAMES = st.text("abcdefgh_-", min_size=1, max_size=8).filter(lambda name: name[0] not in "-_")

VARIABLE = {
    "number": st.integers().map(str) | st.decimals(allow_nan=False, allow_infinity=False, places=2),
    "hash": st.text(HEX, min_size=40, max_size=40).filter(lambda text: not text.isalpha()),
    "uuid": st.uuids().map(str),
    "date": st.datetimes(min_value=datetime(1970, 1, 1)).map(lambda at: at.isoformat(" ")),
    "duration": st.tuples(
        st.integers(0, 10**6), st.sampled_from(["ms", "s", " s", " min", "h", " seconds"])
    ).map(lambda parts: f"{parts[0]}{parts[1]}"),
    "path": st.lists(NAMES, min_size=1, max_size=5).map(lambda names: "/" + "/".join(names)),
    "address": st.tuples(NAMES, st.integers(1, 65535)).map(
        lambda parts: f"https://{parts[0].strip('-_')}.example.org:{parts[1]}/x"
    ),
    "temporary name": st.text("abcdefgh0123_", min_size=8, max_size=8).map(
        lambda end: f"'tmp{end}'"
    ),
    "machine": st.tuples(*[st.integers(0, 255)] * 4).map(lambda parts: ".".join(map(str, parts))),
}


@given(st.text())
def test_a_normal_form_is_its_own(message: str) -> None:
    """The fingerprint of the normal form is the same, whatever the text; and it isn't long."""
    found = fingerprint(message)
    assert fingerprint(found.text) == found
    assert len(found.text) <= LONGEST_FORM


@given(st.text("aT/.:-_@'\"\\ 0179fxs…~%,é\n\t", max_size=60))
def test_a_normal_form_is_its_own_of_what_looks_like_parts(message: str) -> None:
    """The same of texts that consist of the beginnings of numbers, paths, dates and so on."""
    found = fingerprint(message)
    assert fingerprint(found.text) == found


@pytest.mark.parametrize("what", VARIABLE)
@given(data=st.data())
def test_variable_parts_make_no_difference(what: str, data: st.DataObject) -> None:
    """Two messages that differ only by a part of one kind have one fingerprint."""
    words = data.draw(st.lists(WORDS, min_size=2, max_size=5))
    part, other = (str(data.draw(VARIABLE[what])) for _ in range(2))
    place = data.draw(st.integers(1, len(words) - 1))

    def message(inserted: str) -> str:
        return " ".join([*words[:place], inserted, *words[place:]])

    assert fingerprint(message(part)) == fingerprint(message(other))


@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, min_size=1, max_size=6))
def test_words_make_the_difference(some: list[str], others: list[str]) -> None:
    """Messages of different words have different fingerprints."""
    one, other = fingerprint(" ".join(some)), fingerprint(" ".join(others))
    assert (one.digest == other.digest) == (some == others)
    assert one.text == " ".join(some)


@pytest.mark.parametrize(
    ("message", "form"),
    [
        (
            "'pytest -q' exited with status 1 after 3.4 s",
            "'pytest -q' exited with status … after …",
        ),
        ("Timed out after 1 h 3 min", "Timed out after …"),
        ("src/web/main.c:2:12: error: 'total' undeclared", "…: error: 'total' undeclared"),
        ("app.ts(1,7): error TS2322: no", "app.ts(…): error TS2322: no"),
        ("no such file: '/tmp/tmpab12cd_x/a.txt'", "no such file: '…'"),
        (f"job {uuid.UUID(int=7)} is gone", "job … is gone"),
        ("commit 3f2a1c9 of git@example.org:team/web.git", "commit … of …"),
        ("at 2026-11-22 09:30.05: 12 of 30 rows", "at … of … rows"),
        ("connect to 10.0.0.7:8080 refused", "connect to … refused"),
        ("std::vector, and/or, x86_64, TCP/IP, éa", "std::vector, and/or, x86_64, TCP/IP, éa"),
        ("\x1b[31mred\x1b[0m   and\n\nwide", "red and wide"),
    ],
)
def test_normal_forms_can_be_read(message: str, form: str) -> None:
    """The normal form still says what failed."""
    assert fingerprint(message).text == form


def test_digests_stay() -> None:
    """Records hold digests, so they are the same in each process and in each release."""
    assert str(fingerprint("'make' exited with status 2")) == "b85ffe2bf2ed"
    assert str(fingerprint("")) == "e3b0c44298fc"


@pytest.mark.parametrize("part", ["a/", "1.", ":", "a.", "1 s ", "0a:", ".-", "/..", "\\a", "Jan "])
def test_long_messages_take_no_time(part: str) -> None:
    """The time is linear in the length, whatever the message: this ends."""
    assert len(fingerprint(part * 100_000).text) <= LONGEST_FORM
