"""Commands on a host that end when their connection ends.

Without a terminal, a command survives the end of its connection: sshd only closes its standard
input and output. So a small script for any POSIX shell runs the command, and keeps the connection's
input open as a *lifeline*::

    engine ── client ── ssh ══ sshd ── script ─┬─ the command, in the script's process group
                                               └─ watcher: reads the lifeline to its end

The input of the connection has, in this order: a line with the argv, quoted for a shell; a line
with a mark, the size of the command's own input in bytes, and the text to print before the command
begins; these bytes; and then nothing, for as long as the command is wanted. So neither length nor
quoting depends on the login shell of the host, and the argv does not appear in a process list here.

The script first writes the command's input to an unnamed file, for two reasons: the whole input
must have arrived before anything runs, and the watcher must go on reading whether the command reads
or not.

At the end of the lifeline, the watcher sends TERM to the process group, and to all processes that
have the mark in their environment, which finds sessions of their own; two seconds later it sends
KILL. Only Linux shows environments; elsewhere the watcher only reaches the process group. It can't
reach processes of another user, such as those of `sudo`. A command that ends by itself may leave
processes behind, as it may in a terminal.

On this side a program fills the lifeline and holds it open: see `ssh_client.py`. It ends with a
cancel, with the engine if the job is not durable, and with its lease if it is.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

NAME = "pycurrent-ssh"
"""The name of the script on the host. Its shell's messages, and our lines, begin with it."""

_GRACE_FIFTHS = 10
"""Fifths of a second between TERM and KILL on the host: less than the client's five seconds."""

MARK = "PYCURRENT_SSH"

# The watcher starts before the script handles signals: otherwise it would for a moment inherit the
# handler of HUP, which is the signal to end it. The script is joined to one line, and has no single
# quotes, exclamation marks, or backslashes before either, so that it is one word for Bourne shells,
# for csh and for fish.
_THERE = " ".join(
    f"""
IFS= read -r words && read -r mark size begun || exit 125;
newline=$(printf "\\nx"); newline=${{newline%x}};
eval "set -- $words";
exec 6<&0;
if [ "$size" -gt 0 ]; then
    file=$(umask 077; mktemp) && exec 3>"$file" 4<"$file" 5<"$file" || exit 125;
    rm -f "$file"; head -c "$size" >&3; exec 3>&-;
    [ "$(wc -c <&5)" -eq "$size" ] || exit 125;
    exec 5<&-;
else
    exec 4</dev/null;
fi;
marked() {{ grep -lsFz "{MARK}=$mark" /proc/[0-9]*/environ; }};
to_marked() {{
    for file in $(marked); do file=${{file#/proc/}}; kill -$1 ${{file%/environ}}; done;
}};
{{
    trap "" TERM;
    while read -r line; do :; done <&6;
    trap "" HUP;
    kill -TERM -$$; to_marked TERM; left={_GRACE_FIFTHS};
    while [ $left -gt 0 ]; do
        if [ -r /proc/self/environ ] && [ -z "$(marked)" ]; then break; fi;
        sleep 0.2; left=$((left - 1));
    done;
    to_marked KILL; kill -KILL -$$;
}} </dev/null >/dev/null 2>&1 4<&- &
watcher=$!;
trap : HUP INT TERM;
echo "$begun"; echo "$begun" >&2;
( {MARK}=$mark; export {MARK}; exec "$@" ) <&4 4<&- 6<&-;
status=$?;
kill -HUP $watcher 2>/dev/null;
while kill -0 $watcher 2>/dev/null; do wait $watcher 2>/dev/null; done;
exit $status
""".split()
)

THERE = f"exec /bin/sh -c '{_THERE}' {NAME}"
"""The command line that the host runs, whatever the command is."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The words of one connection which nothing else has."""

    connected: str = field(default_factory=lambda: f"{NAME}: connected {secrets.token_hex(8)}")
    """The line by which the client here says that it is connected."""
    begun: str = field(default_factory=lambda: f"{NAME}: begun {secrets.token_hex(8)}")
    """The line by which the script there says that the command begins."""
    processes: str = field(default_factory=lambda: secrets.token_hex(16))
    """The mark in the environment of the command's processes."""


@dataclass(frozen=True, slots=True)
class Pipes:
    """The files in the folder of one connection: see `ssh_client.py`."""

    folder: Path

    @property
    def log(self) -> Path:
        """The log file of the client."""
        return self.folder / "log"

    @property
    def client_log(self) -> str:
        """The contents of the log file; "" if the client has not written any."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def when_connected(self, marks: Marks) -> str:
        """Return the command that the client must run once it is connected: it opens the gate."""
        # The user's shell may be any.
        errors, gate = (shlex.quote(str(self.folder / name)) for name in ("errors", "gate"))
        return f"echo {shlex.quote(marks.connected)} >> {errors}; echo > {gate}"


def sent(argv: Sequence[str], stdin: bytes, marks: Marks, more: int = 0) -> bytes:
    """Return the bytes to send over the lifeline for a command. So many bytes `more`, those of the
    payload, are part of its input.
    """
    mark = f"{marks.processes} {len(stdin) + more} {marks.begun}"
    return b"%s\n%s\n%s" % (os.fsencode(_line(argv)), mark.encode(), stdin)


def _line(argv: Sequence[str]) -> str:
    """Quote the words for a shell on one line, with a variable for each line break."""
    return re.sub("\n", """'"$newline"'""", shlex.join(argv))
