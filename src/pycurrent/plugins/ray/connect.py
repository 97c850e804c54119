"""A command that leads to a node of a Ray cluster: gives its standard input and outputs to the
driver of the engine, which connects them with a shell there, and ends with the status of that.
Relays ask the driver themselves.

connect.py SOCKET NODE HOST HOME WORDS
"""

from __future__ import annotations

import json
import socket
import sys

_NO_CONNECTION = 255
"""As a relay takes it: see `relay.py`."""


def main() -> int:
    """See the module."""
    path, node, host, home, words = sys.argv[1:]
    to = {"node": node, "host": host, "home": home}
    request = {"do": "connect", **to, "words": words, "serving": ""}
    why = "it has ended"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as driver:
        try:
            driver.connect(path)
            socket.send_fds(driver, [json.dumps(request).encode()], [0, 1, 2])
            answer = driver.recv(1 << 16)
        except OSError as error:
            answer, why = b"", error.strerror or str(error)
    end = json.loads(answer) if answer else {"down": f"the driver of the cluster: {why}"}
    if "status" in end:
        return int(end["status"])
    sys.stderr.write(f"{end['down']}\n")
    return _NO_CONNECTION


if __name__ == "__main__":
    sys.exit(main())
