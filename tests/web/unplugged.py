"""Runs a program that can't watch the machine's networks: `python unplugged.py PROGRAM ...`.

Chromium gives up all its requests (ERR_NETWORK_CHANGED) whenever a network interface of the
machine comes or goes, as it does while other tests run containers. No option of it helps. So it
is not told: a filter of the kernel's (seccomp) refuses it the sockets by which it would be, and
it takes the network for always there.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from collections.abc import Sequence

# From linux/prctl.h, linux/seccomp.h, linux/bpf_common.h and linux/audit.h.
_NO_NEW_PRIVILEGES = 38
_SET_SECCOMP = 22
_FILTER = 2
_ALLOW = 0x7FFF0000
_FAIL_WITH = 0x00050000
_LOAD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""What the kernel calls the architecture, and the number of `socket` there."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_netlink() -> None:
    """Have this process, and all that it starts, get no netlink sockets. Does nothing on
    architectures that are not known here.
    """
    known = _SOCKET_CALL.get(platform.machine())
    if known is None:
        return
    architecture, call = known
    code = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_JUMP_IF_EQUAL, 0, 5, architecture),
            (_LOAD, 0, 0, _NUMBER),
            (_JUMP_IF_EQUAL, 0, 3, call),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_JUMP_IF_EQUAL, 0, 1, int(socket.AF_NETLINK)),
            (_RETURN, 0, 0, _FAIL_WITH | errno.EAFNOSUPPORT),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def main(command: Sequence[str]) -> None:
    refuse_netlink()
    os.execv(command[0], list(command))


if __name__ == "__main__":
    main(sys.argv[1:])
