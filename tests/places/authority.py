"""Certificates, and an authority that has signed them, as `openssl` makes them."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from pycurrent.plugins import ray


def _outward() -> str:
    """The address from which this machine reaches others: to be told it sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))
        address: str = sock.getsockname()[0]
    return address


class Authority:
    """A certificate authority of a test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.cert, self._key = folder / "ca.pem", folder / "ca.key"
        self._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=ca"),
            *("-keyout", str(self._key), "-out", str(self.cert)),
        )

    def signed(self, name: str) -> ray.Tls:
        """A certificate for this machine, with its key."""
        cert, key, asked = (self._folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        names = self._folder / "names"
        # Ray's own processes know this machine by its other address.
        here = {"127.0.0.1", *socket.gethostbyname_ex(socket.gethostname())[2], _outward()}
        names.write_text(f"subjectAltName=DNS:localhost,{','.join(f'IP:{ip}' for ip in here)}\n")
        self._openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(asked)),
        )
        self._openssl(
            *("x509", "-req", "-in", str(asked), "-CA", str(self.cert), "-CAkey", str(self._key)),
            *("-CAcreateserial", "-days", "1", "-extfile", str(names), "-out", str(cert)),
        )
        return ray.Tls(cert, key, self.cert)

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)
