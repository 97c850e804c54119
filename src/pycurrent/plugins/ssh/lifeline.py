"""Commands over there that end when nobody here holds them any more.

Without a terminal a command survives the end of its connection: sshd only closes its standard
input and output. So it is not run by itself, but by a small script for any POSIX shell, which
keeps the connection's input open as a *lifeline*::

    engine ── ssh ══ sshd ── script ─┬─ the command, in the process group of the script
                                     └─ watcher: reads the lifeline to its end

What goes over the input is, in this order: a line with the words of the command, quoted for a
shell; a line with a mark, the number of bytes of the command's own input, and what is to be printed
before the command begins; these bytes; and then nothing, as long as the command is wanted. So
neither length nor quoting depends on the login shell over there, and the words are in no process
list here.

The input of the command is first put into a file without a name, because it must have come as a
whole before anything is run, and because the watcher has to read on whether the command reads or
not.

At the end of the lifeline the watcher sends TERM to the process group and to all processes that
have the mark in their environment, those in sessions of their own; and after two seconds KILL.
Only Linux shows environments; elsewhere it is the process group alone. What has another user, by
`sudo` say, can't be reached by either. A command that ends by itself may leave processes behind,
as it may in a terminal.

Here the client's input is a named pipe. A feeder fills it with what is sent, and holds it open;
it is what a cancel ends, or the death of the engine. The client itself doesn't heed TERM, so that
it is still there to tell when all has gone over there; one that doesn't return in time is killed.
Nothing is sent before there is a connection: it would arrive, and be begun, although the feeder
has been ended meanwhile.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycurrent.plugins.ssh.said import NAME, Marks

_GRACE_FIFTHS = 10
"""Between TERM and KILL over there: less than the client is given here, which is five seconds."""

MARK = "PYCURRENT_SSH"

# The watcher is begun before signals are handled: it would take over the handler of HUP, by which
# it is told that it is no longer needed, for a moment. Joined to one line, and without single
# quotes, exclamation marks and backslashes before either, so that it is one word for Bourne's
# shells, for csh and for fish.
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
"""What the host is told to run, whatever the command is."""

_HERE = """
mkfifo "$1/lifeline" "$1/gate" && exec 3<&0 || exit
{ read -r line <"$1/gate"; cat; exec sleep 2147483647; } <&3 >"$1/lifeline" 2>/dev/null &
folder=$1
exec >"$1/output" 2>"$1/errors"
shift
trap "" TERM
exec "$@" <"$folder/lifeline" 3<&-
"""


@dataclass(frozen=True, slots=True)
class Pipes:
    """What lies in the folder of one connection. All but `errors` and `output`, which the client
    writes to, are made by the command itself.
    """

    folder: Path

    @property
    def errors(self) -> Path:
        return self.folder / "errors"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def log(self) -> Path:
        """Of the client: a file."""
        return self.folder / "log"

    @property
    def client_log(self) -> str:
        """What it has written there."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def here(self, client: Sequence[str]) -> list[str]:
        """A command that runs a client whose lifeline carries what the command reads."""
        return ["/bin/sh", "-c", _HERE, NAME, str(self.folder), *client]

    def when_connected(self, marks: Marks) -> str:
        """What the client has to run once it is connected, so that something is sent at all."""
        # For any shell of the user.
        errors, gate = shlex.quote(str(self.errors)), shlex.quote(str(self.folder / "gate"))
        return f"echo {shlex.quote(marks.connected)} >> {errors}; echo > {gate}"


def sent(argv: Sequence[str], stdin: bytes, marks: Marks) -> bytes:
    """What goes over the lifeline for a command."""
    mark = f"{secrets.token_hex(16)} {len(stdin)} {marks.begun}"
    return b"%s\n%s\n%s" % (os.fsencode(_line(argv)), mark.encode(), stdin)


def _line(argv: Sequence[str]) -> str:
    """The words for a shell, on one line, in which a variable stands for the end of one."""
    return re.sub("\n", """'"$newline"'""", shlex.join(argv))
