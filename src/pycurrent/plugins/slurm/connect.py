"""The transport into a Slurm allocation: a command on the engine's machine that has the input and
outputs of one in the allocation.

Its arguments: the number of Slurm's job, and the words of the `srun` that leads there. It ends with
255 if there is no connection, and with 254 if Slurm says that the job is over, so that nothing of
it runs any more: see `relay.py` in the room `places`.
"""

from __future__ import annotations

import os
import re
import sys

# No pathlib, and no subprocess: they would add to the time that each command takes to begin.

_NOT_CONNECTED, _GONE = 255, 254
_STARTED = 100
"""The bridge's: what it had started has failed, with the status that a line of it tells."""
_STATUS = re.compile(rb"pycurrent-status (\d+)")
_KEPT = 8 << 10
"""Bytes of what `srun` says that are kept."""
_OF_SRUN = re.compile(rb"srun: error: [^ ]+: task 0: (Exited with exit code|Terminated|Killed)")
_LIVE = {"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING"}
_NOT_KNOWN = {"COMPLETING", "STAGE_OUT", "NODE_FAIL", "REQUEUED", "SPECIAL_EXIT"}
"""At a node that has failed a command may run on: its lease ends it."""
_WHY = {
    "TIMEOUT": "its time limit was over",
    "OUT_OF_MEMORY": "it has used more memory than it may",
    "PREEMPTED": "one of higher priority has taken its place",
    "CANCELLED": "somebody has cancelled it",
}
UNKNOWN = "Slurm does not know it any more"
_STATUSES = {
    "127": "there is no python3 there",
    "64": "python3 there is older than 3.8",
    "65": "Slurm was told to begin it a second time",
}


def _run(argv: list[str], *, has_stdio: bool) -> tuple[int, bytes]:
    """The status of a command, and the last that it has said."""
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writer, fd) for fd in ((2,) if has_stdio else (1, 2))]
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    except OSError as why:
        return 1, f"{argv[0]} can't be run: {why.strerror}".encode()
    os.close(writer)
    said = b""
    while data := os.read(reader, 4096):
        said = (said + data)[-_KEPT:]
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1), said


def question(job: str) -> list[str]:
    """The command that tells how a job is. It fails if Slurm does not know it any more."""
    options = ["--noheader", "--states=all", "--Format=State:|,exit_code:|"]
    return ["squeue", *options, f"--jobs={job}"]


def end_in(answer: str) -> str | None:
    """Why nothing of a job runs any more, by the answer; None if that is not so, or not known."""
    state, _, code = answer.partition("|")
    state, code = state.strip(), code.strip("| \n")
    if state in _LIVE or state in _NOT_KNOWN:
        return None
    if not state:
        return UNKNOWN
    return f"{state}: {_WHY[state]}" if state in _WHY else f"{state}, {_of_exit(code)}"


def over(job: str) -> str | None:
    """Why nothing of a job runs any more; None if that is not so, or not known."""
    status, said = _run(question(job), has_stdio=False)
    text = said.decode(errors="replace")
    if status:
        return UNKNOWN if "Invalid job id" in text else None
    return end_in(text)


def _of_exit(code: str) -> str:
    """Of a status as `wait` has it, or as `sacct` writes it."""
    number, _, is_written = code.partition(":")
    if number.isdecimal() and not is_written:
        number = str(os.waitstatus_to_exitcode(int(number)))
    return _STATUSES.get(number, f"status {number}")


def main(job: str, srun: list[str]) -> int:
    status, said = _run(srun, has_stdio=True)
    lines = [line for line in said.splitlines() if line.strip() and not _OF_SRUN.match(line)]
    if status in (0, 127):
        result = status
    elif status == _STARTED:
        told = [match for line in lines if (match := _STATUS.fullmatch(line))]
        lines = [line for line in lines if not _STATUS.fullmatch(line)]
        result = int(told[-1][1]) if told else 1
    elif (why := over(job)) is not None:
        lines, result = [f"Slurm's job {job} is over: {why}".encode()], _GONE
    else:
        result = _NOT_CONNECTED
    os.write(2, b"".join(line + b"\n" for line in lines))
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
