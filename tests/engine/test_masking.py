"""Secrets do not get through, however they are spelt and wherever chunks are cut."""

import base64
import json
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine.masking import MaskedStream, Secrets, masked
from pycurrent.engine.spellings import needles
from pycurrent.errors import UsageError

PLAIN = st.lists(
    st.text(alphabet="abcé", min_size=3, max_size=9),
    min_size=1,
    max_size=4,
)


def _plainly_masked(text: bytes, values: list[str]) -> bytes:
    """What the contract says, written down without a thought of speed."""
    covered = [False] * len(text)
    for needle in map(str.encode, values):
        for start in range(len(text)):
            if text.startswith(needle, start):
                covered[start : start + len(needle)] = [True] * len(needle)
    out = b""
    for index, byte in enumerate(text):
        if not covered[index]:
            out += bytes([byte])
        elif index == 0 or not covered[index - 1]:
            out += b"****"
    return out


@st.composite
def _chunks_about(draw: st.DrawFn, values: list[str]) -> list[bytes]:
    """Chunks full of secrets and of beginnings and ends of them, cut anywhere."""
    whole = st.sampled_from([value.encode() for value in values])
    piece = st.builds(lambda n, i, j: n[i:j], whole, st.integers(0, 5), st.integers(1, 12))
    noise = st.text(alphabet="abcé", max_size=3).map(str.encode)
    text = b"".join(draw(st.lists(whole | piece | noise, max_size=8)))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(st.data(), PLAIN)
def test_any_text_cut_anywhere_comes_out_with_exactly_the_secrets_masked(
    data: st.DataObject, values: list[str]
) -> None:
    """The chunks' masked forms, joined, are the whole text with each covered run replaced."""
    chunks = data.draw(_chunks_about(values))
    secrets, stream = Secrets.of(*values), MaskedStream()

    result = b"".join(stream.feed(chunk, secrets) for chunk in chunks) + stream.flush(secrets)

    expected = _plainly_masked(b"".join(chunks), values)
    # At the end more than half of a secret counts as one.
    assert result == expected or expected.startswith(result.removesuffix(b"****"))
    assert not [value for value in values if value.encode() in result]


@given(st.data(), PLAIN)
def test_never_more_is_held_back_than_could_become_a_secret(
    data: st.DataObject, values: list[str]
) -> None:
    """What a stream has not given out yet is a proper beginning of a secret or of its code."""
    text = b"".join(data.draw(_chunks_about(values)))

    _, decided = Secrets.of(*values).search(text)

    held = text[decided:]
    known = [needle for value in values for kind in needles(value) for needle in kind]
    assert not held or any(n.startswith(held) and n != held for n in known)


@pytest.mark.parametrize("quoting", ["\\", "'", "%25", "\n", "&amp;", " ", '"', "&", "\\n", "="])
@pytest.mark.parametrize("value", ["abc", "a'\"", "%%%", "a b", "&&&", "correct-horse-battery"])
def test_little_is_held_back_whatever_comes(value: str, quoting: str) -> None:
    """What quotes, escapes and wraps can be as long as it likes, the text goes on."""
    secrets, stream = Secrets.of(value), MaskedStream()

    out = stream.feed((value[:2] + quoting * 1000).encode(), secrets)

    assert b"****" in out or len(out) >= 2 + len(quoting) * 1000 - 200


@given(st.text(min_size=4).filter(lambda s: len(s.strip()) >= 4), st.binary(), st.binary())
def test_a_secret_inside_a_longer_base64_text_is_masked(
    value: str, before: bytes, after: bytes
) -> None:
    """Basic authentication is the base64 form of `user:password`: the password is found in it."""
    text = base64.b64encode(before + value.strip().encode() + after)

    assert b"****" in masked(text, Secrets.of(value))


@pytest.mark.parametrize(
    "spelt",
    [
        json.dumps({"password": "p'w\"ä/ 1"}),
        quote("p'w\"ä/ 1", safe=""),
        shlex.join(["login", "p'w\"ä/ 1"]),
        "+ login 'p'\\''w\"ä/ 1'",
        base64.b64encode(b"user:" + "p'w\"ä/ 1".encode()).decode(),
    ],
    ids=["json", "url", "shlex", "sh -x", "basic auth"],
)
def test_common_spellings_of_a_secret_are_masked(spelt: str) -> None:
    """A password with awkward characters is masked in the forms that tools print it in."""
    result = masked(spelt.encode(), Secrets.of("p'w\"ä/ 1"))

    assert b"****" in result
    assert b"w" not in result.removeprefix(b'{"password": ')


def test_each_line_of_a_secret_is_masked_by_itself() -> None:
    """A private key that is printed indented does not get through; its short lines may."""
    secrets = Secrets.of("-----BEGIN KEY-----\nMIIEow\n==\n-----END KEY-----\n")

    result = masked(b"  | MIIEow\n  | ==\n  | -----END KEY-----\r\n", secrets)

    assert result == b"  | ****\n  | ==\n  | ****\r\n"


def test_overlapping_secrets_leave_nothing_of_either() -> None:
    """Where one secret ends within another one both are masked, as one."""
    assert masked(b"token-abc-xyz.", Secrets.of("token-abc", "abc-xyz")) == b"****."


@pytest.mark.parametrize("value", ["", "  ", "ab", " ab\n"])
def test_too_short_a_secret_is_refused_without_naming_it(value: str) -> None:
    """A value that would be found by chance everywhere is an error, which does not tell it."""
    with pytest.raises(UsageError, match="fewer than 3 characters") as refused:
        Secrets.of(value)

    assert "ab" not in str(refused.value).replace("be masked", "")


def test_a_long_key_is_found_in_a_long_text() -> None:
    """The search works for secrets of thousands of bytes, which have their own way to be slow."""
    lines = [f"key{line:04}." * 8 for line in range(40)]
    text = b"x" * 300_000 + "\n".join(lines).encode() + b"y" * 300_000

    result = masked(text, Secrets.of("\n".join(lines)))

    assert result == b"x" * 300_000 + b"\n".join([b"****"] * 40) + b"y" * 300_000
