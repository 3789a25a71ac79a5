"""A real one-node Slurm on this machine, with all its state in a temporary folder. Debian: slurm-wlm, munge."""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol", "squeue")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
USER = pwd.getpwuid(os.getuid()).pw_name

# No cgroups or accounting, so that it also runs in a container; one pretended GPU.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MinJobAge=86400
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass
class Cluster:
    """A running Slurm."""

    folder: Path  # its state and its logs
    host: str  # the name of its one node
    environment: dict[str, str]  # what a process needs to reach it

    def call(self, *command: str) -> str:
        """Run one of Slurm's own commands and return what it printed."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def state(self) -> str:
        """Return the state of the node, such as ``IDLE``, ``MIXED`` or ``IDLE+DRAIN``."""
        node = self.call("scontrol", "--oneliner", "show", "node", self.host)
        return dict(part.split("=", 1) for part in node.split() if "=" in part)["State"]

    def update(self, *changes: str) -> None:
        """Change the node, such as ``state=drain``."""
        self.call("scontrol", "update", f"nodename={self.host}", *changes)

    def jobs(self) -> list[str]:
        """Return the state of each job that Slurm still knows, such as ``PENDING``."""
        return self.call("squeue", "--noheader", "--states=all", "--format=%T").split()


def missing() -> list[str]:
    """Return the programs that are not installed here."""
    return [program for program in PROGRAMS if not shutil.which(program, path=PATH)]


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a one-node Slurm; on exit stop it and all that runs on it."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}/bin:{PATH}", "SLURM_CONF": f"{folder}/slurm.conf"}
    slurm = Cluster(folder, socket.gethostname().split(".")[0], environment)
    started: list[subprocess.Popen[bytes]] = []
    munge = folder / "munge"
    try:
        _configure(slurm)
        options = [f"--{file}-file={munge}/{file}" for file in ("key", "pid", "log", "seed")]
        started.append(_start(slurm, "munged", "--foreground", "--force", f"--socket={munge}/socket", *options))
        _wait(slurm, (munge / "socket").exists, "munged makes no socket")
        started += [_start(slurm, "slurmctld", "-D", "-i"), _start(slurm, "slurmd", "-D")]
        _wait(slurm, lambda: slurm.state() == "IDLE", "the node does not become idle")
        yield slurm
    finally:
        _stop(slurm, started)
        shutil.rmtree(folder, ignore_errors=True)


def _configure(slurm: Cluster) -> None:
    folder = slurm.folder
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o700)
    (folder / "munge" / "key").touch(0o600)
    (folder / "munge" / "key").write_bytes(secrets.token_bytes(1024))
    with contextlib.ExitStack() as stack:  # two free ports
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        controller, daemon = (listener.getsockname()[1] for listener in sockets)
    memory = psutil.virtual_memory().total * 9 // 10 >> 20
    text = CONFIG.format(folder=folder, host=slurm.host, user=USER, memory=memory, controller=controller, daemon=daemon)
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n", encoding="utf-8")
    # Inside a job the plugin calls srun without Slurm's variables: this wrapper sets the configuration.
    srun, real = folder / "bin" / "srun", shutil.which("srun", path=PATH)
    srun.parent.mkdir()
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {real} "$@"\n', encoding="utf-8")
    srun.chmod(0o755)


def _start(slurm: Cluster, program: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a daemon in its own session, which Ctrl-C does not reach, and in the folder that marks it."""
    command, where = [str(shutil.which(program, path=PATH)), *options], {"cwd": slurm.folder, "env": slurm.environment}
    with (slurm.folder / f"{program}.out").open("wb") as output:
        return subprocess.Popen(command, **where, stdout=output, stderr=output, start_new_session=True)


def _wait(slurm: Cluster, ready: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(RuntimeError):  # nobody answers yet
            if ready():
                return
        time.sleep(0.2)
    tails = "\n".join(log.read_text(errors="replace")[-2000:] for log in slurm.folder.rglob("*log"))
    raise RuntimeError(f"{problem}\n{tails}")


def _stop(slurm: Cluster, started: list[subprocess.Popen[bytes]]) -> None:
    """Cancel all jobs, stop the daemons, the last started first, and kill what remains."""
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        slurm.call("scancel", "--signal=KILL", f"--user={USER}")
        slurm.call("scancel", f"--user={USER}")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and {"RUNNING", "COMPLETING"} & {*slurm.jobs()}:
            time.sleep(0.5)
    for process in reversed(started):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
    # What Slurm started for a job is no child of the daemons: its folder or its configuration marks it.
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            configured = process.environ().get("SLURM_CONF") == slurm.environment["SLURM_CONF"]
            if process.pid != os.getpid() and (configured or Path(process.cwd()) == slurm.folder):
                process.kill()
