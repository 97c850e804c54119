"""No spelling in which ordinary programs print a secret gets through."""

import base64
import csv
import html
import io
import json
import os
import pprint
import quopri
import re
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from http.cookies import SimpleCookie
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pycurrent.engine.masking import MaskedStream, Secrets, masked

from ..effort import examples

AWKWARD = "hunter2'Zq/8&k \"w\\x <é€😀> +100%=~!*()"
Encoder = Callable[[str], str]


def _c_escapes(text: str) -> str:
    return "".join(chr(b) if 32 <= b < 127 and b not in b"\\\"" else f"\\{b:03o}" for b in
                   text.encode())  # fmt: skip


def _java(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(
        chr(n) if 32 <= (n := int.from_bytes(units[i : i + 2], "big")) < 127 else f"\\u{n:04X}"
        for i in range(0, len(units), 2)
    )


def _encode_uri_component(text: str) -> str:
    return quote(text, safe="!'()*~")


def _lower(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), quote(text, safe=""))


ENCODERS: dict[str, Encoder] = {
    "as it is": lambda s: s,
    "repr": lambda s: repr(f"a ' {s} \" b"),
    "repr, one quote": lambda s: repr(f"a ' {s}"),
    "repr of bytes": lambda s: repr(f"' {s} \"".encode()),
    "repr of a repr": lambda s: repr(repr(f"' {s} \"")),
    "ascii": ascii,
    "unicode_escape": lambda s: s.encode("unicode_escape").decode(),
    "named characters": lambda s: s.encode("ascii", "namereplace").decode(),
    "backslashreplace": lambda s: s.encode("ascii", "backslashreplace").decode(),
    "the error of a command": lambda s: str(subprocess.CalledProcessError(1, ["x", f"-p{s}'"])),
    "pprint": lambda s: pprint.pformat({"a": [f"{s} and more", s]}),
    "json": lambda s: json.dumps({"password": s}),
    "json in Unicode": lambda s: json.dumps({"password": s}, ensure_ascii=False),
    "json, slashes escaped": lambda s: json.dumps(s).replace("/", "\\/"),
    "json within json": lambda s: json.dumps({"body": json.dumps({"p": s})}),
    "json within json within json": lambda s: json.dumps(json.dumps(json.dumps([s]))),
    "json for html": lambda s: json.dumps(s).replace("&", "\\u0026").replace("<", "\\u003c"),
    "C, octal": _c_escapes,
    "Java": _java,
    "JavaScript, braces": lambda s: "".join(
        c if 32 <= ord(c) < 127 else f"\\u{{{ord(c):x}}}" for c in s
    ),
    "each byte in hex escapes": lambda s: "".join(f"\\x{b:02x}" for b in s.encode()),
    "each byte in per cent": lambda s: "".join(f"%{b:02X}" for b in s.encode()),
    "quote": quote,
    "quote all": lambda s: quote(s, safe=""),
    "quote_plus": quote_plus,
    "a form": lambda s: urlencode({"password": s, "x": "1"}),
    "encodeURIComponent": _encode_uri_component,
    "per cent, lower case": _lower,
    "per cent, twice": lambda s: quote(quote(s, safe=""), safe=""),
    "html": html.escape,
    "html, twice": lambda s: html.escape(html.escape(s)),
    "html, decimal": lambda s: "".join(c if c.isalnum() else f"&#{ord(c)};" for c in s),
    "html, hex": lambda s: "".join(c if c.isalnum() else f"&#x{ord(c):X};" for c in s),
    "xml": escape,
    "an attribute of xml": quoteattr,
    "xmlcharrefreplace": lambda s: s.encode("ascii", "xmlcharrefreplace").decode(),
    "shlex": shlex.quote,
    "shlex twice": lambda s: shlex.join(["sh", "-c", shlex.join(["login", s])]),
    "sh -x": lambda s: "+ login '" + s.replace("'", "'\\''") + "'",
    "SQL": lambda s: "'" + s.replace("'", "''") + "'",
    "configparser": lambda s: s.replace("%", "%%"),
    "regular expression": re.escape,
    "a cookie": lambda s: SimpleCookie({"session": s}).output(),
    "mail": lambda s: quopri.encodestring(s.encode()).decode(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, wrapped at 64": lambda s: "\n".join(
        textwrap.wrap(base64.b64encode(b"user:" * 11 + s.encode()).decode(), 64)
    ),
    "base64 of Python, wrapped": lambda s: base64.encodebytes(b"-" * 50 + s.encode()).decode(),
    "base64, wrapped, in JSON": lambda s: json.dumps(
        base64.encodebytes(b"-" * 50 + s.encode()).decode()
    ),
    "base64, url-safe": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64 in a URL": lambda s: quote_plus(base64.b64encode(s.encode()).decode()),
    "base32": lambda s: base64.b32encode(s.encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":").upper(),
    "hex with spaces": lambda s: s.encode().hex(" "),
}


def _csv(text: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(["a", text])
    return out.getvalue()


ENCODERS["csv"] = _csv


def _hidden(secret: str, shown: str) -> None:
    result = masked(shown.encode(errors="surrogateescape"), Secrets.of(secret))
    assert result != shown.encode()
    rest = re.sub(rb"[^0-9A-Za-z]", b"", result.replace(b"****", b""))
    for found in re.findall(r"[0-9A-Za-z]{3,}", secret):
        assert found.encode() not in rest, (secret, shown, result)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_secret_is_masked_in_each_spelling(name: str) -> None:
    """A password with all awkward characters is not to be read in the masked text."""
    _hidden(AWKWARD, ENCODERS[name](AWKWARD))


_CHARACTERS = "abcdXYZ0123456789'\"\\/&%+=<>$ !*()[]{}#;:,@~^`|?-_.é€😀"


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.differing_executors])
@given(st.text(_CHARACTERS, min_size=8, max_size=24).filter(lambda s: len(s.strip()) >= 8))
def test_any_secret_is_masked_as_a_whole_in_each_spelling(name: str, secret: str) -> None:
    """No four characters of it in a row are left, wherever the text is cut."""
    core = secret.strip()
    shown = ENCODERS[name](core).encode()
    secrets, stream = Secrets.of(secret), MaskedStream()

    result = masked(shown, secrets)

    assert b"****" in result, shown
    assert not [i for i in range(len(core) - 3) if core[i : i + 4].encode() in result]
    cut = b"".join(stream.feed(shown[i : i + 1], secrets) for i in range(len(shown)))
    assert cut + stream.flush(secrets) == result


TOOLS = {
    "printf of bash": ["bash", "-c", 'printf "%q" "$1"', "-"],
    "a traced shell": ["sh", "-xc", ': "$1"', "-"],
    "a traced bash": ["bash", "-xc", ': "$1"', "-"],
    "declare of bash": ["bash", "-c", 'x=$1; declare -p x; echo "${x@Q}"', "-"],
    "ls": ["bash", "-c", r'cd "$(mktemp -d)" && touch "${1//\//_}" && ls --quoting-style=c', "-"],
    "base64": ["sh", "-c", 'printf %s "user:$1" | base64', "-"],
    "xxd -p": ["sh", "-c", 'printf %s "$1" | xxd -p', "-"],
    "openssl": ["sh", "-c", 'printf %s "user:$1" | openssl base64', "-"],
    "jq": ["jq", "-n", "--arg", "x", "@", "{x: $x}"],
    "jq @uri": ["jq", "-n", "--arg", "x", "@", "$x|@uri"],
    "jq @sh": ["jq", "-n", "--arg", "x", "@", "$x|@sh"],
    "jq @html": ["jq", "-n", "--arg", "x", "@", "$x|@html"],
    "jq @csv": ["jq", "-n", "--arg", "x", "@", "[$x]|@csv"],
    "node": ["node", "-e", "const x = process.argv[1]; console.log([x], {x}); "
             "console.log(JSON.stringify({x}), encodeURIComponent(x), encodeURI(x), "
             "new URLSearchParams({x}).toString())"],
    "perl": ["perl", "-MData::Dumper", "-e", "$Data::Dumper::Useqq=1; print Dumper($ARGV[0])"],
}  # fmt: skip


@pytest.mark.parametrize("tool", TOOLS)
def test_a_secret_is_masked_as_tools_of_this_machine_print_it(tool: str) -> None:
    """What each of them makes of an awkward password tells no four characters of it."""
    argv = TOOLS[tool]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"no {argv[0]} here")
    secret = "hunter2'Zq8&k \"w\\x é€ <+100%=~!*()$`>"
    if tool != "ls":
        secret += "/tail"
    run = subprocess.run(
        [secret if word == "@" else word for word in argv] + [secret] * ("@" not in argv),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )

    result = masked(run.stdout, Secrets.of(secret))

    assert b"****" in result, run.stdout
    left = [secret[i : i + 4] for i in range(len(secret) - 3)]
    assert not [piece for piece in left if piece.encode() in result], result


KEY = "-----BEGIN KEY-----\n{}\n-----END KEY-----".format(
    "\n".join(textwrap.wrap(base64.b64encode(bytes(range(200))).decode(), 64))
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (KEY, KEY),
        (KEY, KEY.replace("\n", "\\n")),
        (KEY, KEY.replace("\n", "\r\n")),
        (KEY, KEY.replace("\n", "\r")),
        (KEY, KEY.replace("\n", " ")),
        (KEY, textwrap.indent(KEY, "  | ")),
        (KEY, json.dumps({"key": json.dumps({"key": KEY})})),
        (KEY, quote(KEY)),
        (KEY, base64.encodebytes(KEY.encode()).decode()),
        (KEY.replace("\n", "\\n"), KEY),
        (KEY.replace("\n", "\\n"), KEY.replace("\n", "\\n")),
        (KEY.replace("\n", "\\n"), base64.b64encode(KEY.encode()).decode()),
        (KEY.replace("\n", "\\n"), repr(KEY)),
        (KEY.replace("\n", "\r\n"), KEY),
        (KEY.replace("\n", "\r"), KEY),
        (KEY, repr(KEY.encode())),
    ],
)
def test_a_key_of_several_lines_is_masked_however_its_lines_end(given: str, shown: str) -> None:
    """No line of it is to be read, whether it was given in one line or in several."""
    result = masked(shown.encode(), Secrets.of(given))

    for line in KEY.split("\n"):
        assert line.encode() not in result
    assert base64.b64encode(KEY.encode())[40:60] not in result


PRIVATE = 's3cr3t\nof "two" lines'
SETTINGS = {"type": "account", "key": {"id": "a/b c", "private": PRIVATE}}


@pytest.mark.parametrize("given", [json.dumps(SETTINGS), json.dumps(SETTINGS, indent=2)])
@pytest.mark.parametrize(
    "shown",
    [
        json.dumps(SETTINGS),
        json.dumps(SETTINGS, separators=(",", ":")),
        json.dumps(SETTINGS, indent=2),
        json.dumps(SETTINGS, indent="\t", sort_keys=True),
        json.dumps({"env": json.dumps(SETTINGS)}),
        repr(SETTINGS),
        PRIVATE,
    ],
)
def test_a_secret_that_is_json_is_masked_however_it_is_laid_out(given: str, shown: str) -> None:
    """What it holds is not to be read in another layout of it, nor by itself."""
    result = masked(shown.encode(), Secrets.of(given))

    assert b"s3cr3t" not in result
    assert b"lines" not in result


ORDINARY = (
    "cc -O2 -c 'src/abc def.c' -o build/abc+def.o  # 100% of a=3, b=4 & c\n"
    'C:\\new\\table "abc" \\u0041 %20 &amp; {"abd": [1, 2]}\n'
)


@pytest.mark.parametrize(
    "secret", ["xyz", "a b", "abc\ndex", "100", "a-b", "hunter2", "new/table", "'''", "C:n", "b,c"]
)
def test_ordinary_text_stays_as_it_is(secret: str) -> None:
    """Only what is a spelling of the secret is masked, a short one's too."""
    result = masked(ORDINARY.encode(), Secrets.of(secret)).decode()

    expected = ORDINARY
    for line in secret.split("\n"):
        expected = expected.replace(line, "****")
    assert result == expected
