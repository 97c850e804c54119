"""Which names, addresses and proxies a site takes for its own."""

import socket

import pytest

from pycurrent.errors import UsageError
from pycurrent.web.auth import Reach, SiteAddress
from pycurrent.web.auth.names import NoHostName, host_name, origin_of
from pycurrent.web.auth.proxies import believed

LONGEST = ("a" * 49 + ".") * 5 + "abc"
"""A name of 253 letters."""


def site(host: str = "127.0.0.1", *allowed: str, public_url: str | None = None) -> SiteAddress:
    return SiteAddress.at(host, public_url=public_url, allowed_hosts=allowed)


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example/x",
        "https://ci.example?x=1",
        "https://ci.example/#x",
        "https://me@ci.example",
        "ftp://ci.example",
        "ci.example",
        "https://",
        "https://ci.example:x",
        "https://[::1",
        "https://a..b",
    ],
)
def test_a_public_address_is_that_of_a_site(url: str) -> None:
    """Without a path, a question, a place in the page, or a user."""
    with pytest.raises(UsageError, match="is not the address of a site"):
        site(public_url=url)


@pytest.mark.parametrize(
    "name",
    ["", "https://ci", "*.ci", "ci:http", "a..b", "-ci", "ci/x", ":80", LONGEST + "d", "ü" * 70],
)
def test_what_cant_be_the_name_of_a_host_is_refused(name: str) -> None:
    """As one more name of the site; and a request for such a name is not for the site."""
    with pytest.raises(UsageError, match="is not the name of a host"):
        site("127.0.0.1", name)
    assert not site().allows_host(name)


@pytest.mark.parametrize("name", [LONGEST, "fe80::1", "[fe80::1]", "[fe80::1]:8080", "_x", "a-b"])
def test_a_name_or_an_address_may_be_one_more_name(name: str) -> None:
    """An IPv6 address with brackets or without."""
    assert site("127.0.0.1", name).names > site().names


def test_a_name_is_written_in_ascii() -> None:
    """Also one with letters in upper case that ASCII does not have."""
    assert host_name("BÜCHER.example") == "xn--bcher-kva.example"


def test_an_origin_without_a_scheme_is_none() -> None:
    """Such as `null`, which browsers send from a sandbox."""
    for origin in ("null", "ci.example"):
        with pytest.raises(NoHostName):
            origin_of(origin)


def test_a_site_for_others_has_the_names_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that can be names: a machine may call itself anything. A site for this machine only
    needs none.
    """
    monkeypatch.setattr(socket, "gethostname", lambda: "My Machine")
    monkeypatch.setattr(socket, "getfqdn", lambda: "Box.internal")
    assert site("0.0.0.0").allows_host("box.internal:8080")
    assert not site("0.0.0.0").allows_host("other.internal")
    assert not site("127.0.0.1").allows_host("box.internal:8080")


@pytest.mark.parametrize(
    ("host", "public_url", "reach"),
    [
        ("127.0.0.1", None, Reach.HERE),
        ("127.5.5.5", None, Reach.HERE),
        ("localhost", None, Reach.HERE),
        ("::1", "http://LocalHost:8080", Reach.HERE),
        ("0.0.0.0", None, Reach.ELSEWHERE),
        ("no name", None, Reach.ELSEWHERE),
        ("127.0.0.1", "https://ci.example", Reach.ELSEWHERE),
        ("0.0.0.0", "http://localhost", Reach.ELSEWHERE),
    ],
)
def test_a_site_is_for_this_machine_if_all_its_names_are(
    host: str, public_url: str | None, reach: Reach
) -> None:
    """The address on which it listens, and the public one."""
    assert site(host, public_url=public_url).reach is reach


def test_a_proxy_is_an_address_or_a_network() -> None:
    """This machine is believed besides."""
    here = set(believed([]))
    assert set(believed(["10.0.0.5", "10.1.2.3/8", "[fe80::1]"])) - here == {
        "10.0.0.5/32",
        "10.0.0.0/8",
        "fe80::1/128",
    }
    for proxy in ("proxy.internal", "*", "10.0.0.0/99"):
        with pytest.raises(UsageError, match="is not an address or a network"):
            believed([proxy])
