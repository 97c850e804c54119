"""The bridge: what `srun` runs in an allocation to have the holder there start something.

It hands its own input and outputs to the holder (see `holder.py`), and ends when what was started
has ended. Were that started by `srun` itself, it would end with the connection.

Its arguments: the name of the holder's socket, and the words of a command.

Its status is one that `srun` has not for failures of its own; a line of its errors has that of the
command: see `connect.py`.
"""

import array
import os
import socket
import struct
import sys
import time

_PATIENCE = 30.0
"""Seconds that the holder may take until it listens."""
_STARTED, _NO_HOLDER = 100, 101


def _connected(name: str) -> socket.socket:
    deadline = time.monotonic() + _PATIENCE
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.connect("\0" + name)
        except OSError as why:
            sock.close()
            if time.monotonic() > deadline:
                sys.stderr.write(f"the program that holds the allocation is not there: {why}\n")
                sys.exit(_NO_HOLDER)
            time.sleep(0.01)
        else:
            return sock


def main(name: str, words: str) -> int:
    sock = _connected(name)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    try:
        sock.sendmsg([os.fsencode(words)], rights)
        answer = sock.recv(4)
    except OSError:
        answer = b""
    if len(answer) < struct.calcsize("i"):
        return _NO_HOLDER
    status = int(struct.unpack("i", answer)[0])
    if status in (0, 127):
        return status
    os.write(2, b"\npycurrent-status %d\n" % (status if status >= 0 else 128 - status))
    return _STARTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[2], sys.argv[3]))
