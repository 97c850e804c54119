"""A real Slurm for tests: a controller and a node of Debian's packages, on free ports of this
machine's loopback, with a munge of their own.

`Slurm` is started and stopped by whoever makes it; its jobs end with it. The packages are installed
where they are missing and root can; otherwise `MissingPart` says why not.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from ..debian import MissingPart, have, path_of
from .sshd import free_port

CONFIG = """\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={folder}/prolog
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SlurmdTimeout=5
KillWait=2
{options}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000
PartitionName=ci Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """A cluster of one node, with so many CPUs and one partition, `ci`."""

    def __init__(self, folder: Path, *, cpus: int = 8, options: str = "") -> None:
        have(
            {
                "slurmctld": "slurmctld",
                "slurmd": "slurmd",
                "sbatch": "slurm-client",
                "munged": "munge",
            }
        )
        if os.geteuid() != 0:
            raise MissingPart("only root can run a Slurm of its own")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("state", "spool"):
            (folder / name).mkdir(exist_ok=True)
        self.config = folder / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        host = socket.gethostname().partition(".")[0]
        self.config.write_text(
            CONFIG.format(
                host=host,
                folder=folder,
                controller=free_port(),
                node=free_port(),
                cpus=cpus,
                options=options,
            )
        )
        key = folder / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        self.set_environment({})
        self.host = host

    def set_environment(self, environment: dict[str, str]) -> None:
        """What the commands of batch jobs find in theirs besides that of the login."""
        prolog = self.folder / "prolog"
        lines = [f"echo 'export {name}={value}'" for name, value in environment.items()]
        prolog.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        prolog.chmod(0o755)

    def start(self) -> None:
        """Returns when the node can be used."""
        self._run("munged", "--foreground", "--force", *self._munge_options())
        self.start_controller()
        self.start_node()
        self.wait_for_node("idle")

    def _munge_options(self) -> list[str]:
        names = {"key-file": "key", "socket": "munge", "pid-file": "munge.pid"}
        names |= {"log-file": "munge.log", "seed-file": "munge.seed"}
        return [f"--{option}={self.folder / name}" for option, name in names.items()]

    def start_controller(self) -> None:
        self._run("slurmctld", "-D")

    def start_node(self) -> None:
        self._run("slurmd", "-D")

    def end(self, daemon: str) -> None:
        """End `slurmctld` or `slurmd`, alone: what runs goes on. (A controller that is killed
        forgets jobs that have just begun, and then has them killed.)
        """
        process = self._daemons.pop(daemon)
        process.terminate()
        process.wait()

    def wait_for_node(self, state: str) -> None:
        deadline = time.monotonic() + 30
        while not (
            (found := self.says("sinfo", "--noheader", "--format=%T")) and found.startswith(state)
        ):
            assert time.monotonic() < deadline, self.says("sinfo", "--long")
            time.sleep(0.05)

    def says(self, *argv: str) -> str:
        """What a command of Slurm's prints; empty if it fails."""
        environ = {**os.environ, "SLURM_CONF": str(self.config)}
        try:
            done = subprocess.run(
                argv, env=environ, capture_output=True, text=True, check=False, timeout=5
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip()

    def clean(self) -> None:
        """End all jobs, and wait for that; with the daemons that were ended."""
        if "slurmctld" not in self._daemons:
            self.start_controller()
        if "slurmd" not in self._daemons:
            self.start_node()
        self.wait_for_node("")
        self.says("scancel", "--quiet", "--user=root")
        deadline = time.monotonic() + 30
        while self.says("squeue", "--noheader", "--format=%i"):
            assert time.monotonic() < deadline, self.says("squeue")
            time.sleep(0.05)

    def drop_connections(self) -> None:
        """End all that is connected with a job from outside: every `srun`."""
        self._kill_all("srun")

    def stop(self) -> None:
        """End it, with all its jobs. Twice does nothing."""
        for name in list(self._daemons):
            self.end(name)
        # They leave what runs; its holder finds no lease then.
        self._kill_all("slurmstepd")

    def _kill_all(self, program: str) -> None:
        """Kill the processes of this cluster that run a program."""
        ours = f"SLURM_CONF={self.config}"
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_one = (process / "comm").read_text().strip() == program
                if is_one and ours in (process / "environ").read_text().split("\0"):
                    os.kill(int(process.name), signal.SIGKILL)

    def _run(self, name: str, *options: str) -> None:
        program = path_of(name)
        assert program is not None
        with (self.folder / f"{name}.out").open("ab") as out:
            self._daemons[name] = subprocess.Popen(
                [program, *options],
                env={**os.environ, "SLURM_CONF": str(self.config)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        if name == "munged":
            deadline = time.monotonic() + 10
            while not (self.folder / "munge").exists():
                assert time.monotonic() < deadline, "munge does not come up"
                time.sleep(0.01)
