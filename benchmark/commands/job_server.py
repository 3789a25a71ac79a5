"""Jobs that start at once: a process that has imported what they need forks a process for each.

Importing torch and other libraries takes longer than many a job of a small study. A workflow on this machine therefore
starts a server (`start`), which imports them once and waits. The command of each job is this file, run as a script that
imports next to nothing: it hands its arguments, environment and streams to the server, forwards signals to the process
that is forked for it, and ends as that process ends. Without a server, as on the nodes of a cluster or after it was
killed, the script becomes ``python -m benchmark`` itself. A job that crashes affects no other.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping

SERVER = "BENCHMARK_SERVER"  # the environment variable with the path of the server's socket
# Rule -> what its jobs import, slowest first. Jobs of `weights` are runs too; names of several rules begin with `draw`.
MODELS = tuple(f"benchmark.models.{name}" for name in ("resnet", "vgg", "vit", "convnet"))
# The last two, to count operations. Models, like the rest of the code, as they were when the stamp was taken.
RUNS = ("benchmark.training.job", *MODELS, "sklearn.svm", "torch.utils.flop_counter", "torch._dynamo")
IMPORTS = {
    "run": RUNS,
    "weights": RUNS,
    "embed": ("benchmark.features.embed", "sklearn.decomposition", "openTSNE", "umap"),
    "draw": ("benchmark.report.draw", "seaborn", "benchmark.workflow.receipts"),
}
KILLED = 128 + signal.SIGKILL
FORWARDED = (signal.SIGINT, signal.SIGTERM)
servers: list[object] = []  # started by this process


def start(jobs: Mapping[str, int], environment: dict[str, str]) -> None:
    """Start a server for so many jobs of each rule, with ``environment`` set; it ends when this process does.

    A server that `SERVER` names serves these jobs too. If that is ``off``, or no server can be started, each job starts
    by itself.
    """
    import subprocess
    import tempfile
    from pathlib import Path

    served = {rule for rule in IMPORTS if sum(count for name, count in jobs.items() if name.startswith(rule)) > 1}
    if SERVER in os.environ or not served:
        return
    modules = dict.fromkeys(module for rule in IMPORTS if rule in served for module in IMPORTS[rule])
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        # In a folder that only this user can enter. The path of a socket must be short.
        listener.bind(address := str(Path(tempfile.mkdtemp(prefix="benchmark-")) / "jobs"))
        listener.listen(128)
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmark.commands.job_server", "--serve", str(listener.fileno()), *modules],
            stdin=subprocess.PIPE,  # closed when this process ends, in whatever way
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C is for the jobs' commands, which forward it
        )
        servers.append(server)  # keeps its standard input open
        os.environ[SERVER] = address


def serve(listener: socket.socket, modules: list[str]) -> None:
    """Import what jobs need and fork a process for each job that comes, until standard input is closed."""
    import gc
    import importlib
    import select
    import shutil
    from pathlib import Path

    from benchmark.stamp import code, package_commit

    for name in ("benchmark.commands.jobs", modules.pop(0)):
        importlib.import_module(name)
    code()  # now, since the code on disk may have changed by the time of a job
    package_commit()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # this process does not wait for its children
    gc.disable()
    while True:
        # The remaining modules are imported while no job waits.
        ready, _, _ = select.select([listener, sys.stdin], [], [], 0 if modules else None)
        if sys.stdin in ready:
            shutil.rmtree(Path(listener.getsockname()).parent, ignore_errors=True)
            return
        if not ready:
            with contextlib.suppress(Exception):  # the job reports what cannot be imported
                importlib.import_module(modules.pop(0))
            gc.freeze()  # imported objects stay: a child that searched them for garbage would copy them
            continue
        connection, _ = listener.accept()
        if os.fork() == 0:
            gc.enable()
            listener.close()
            os._exit(_job(connection))
        connection.close()


def _job(connection: socket.socket) -> int:
    """Do the job that a client sends, as ``python -m benchmark`` would; return its exit status."""
    import threading

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, *_ = socket.recv_fds(connection, 4, 3)
    arguments, folder, environment = json.loads(connection.recv(int.from_bytes(size), socket.MSG_WAITALL))
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (stays open)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(folder)
    sys.path[0] = folder
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["benchmark", *arguments]
    connection.sendall(os.getpid().to_bytes(4))
    threading.Thread(target=_end_with, args=[connection], daemon=True).start()
    status = _main()
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        connection.sendall(bytes([status]))
    return status


def _main() -> int:
    """Run ``python -m benchmark`` in this process, print what the interpreter would, and return the exit status."""
    import runpy
    import traceback

    try:
        runpy.run_module("benchmark", run_name="__main__", alter_sys=True)
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            return ending.code or 0
        print(ending.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end_with(connection: socket.socket) -> None:
    """End this process by SIGTERM when its client ends."""
    if not connection.recv(1):
        os.kill(os.getpid(), signal.SIGTERM)


def ask(arguments: list[str], address: str) -> int:
    """Have a server do a job and return the job's exit status; raise `OSError` if there is no server."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        job = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()  # noqa: PTH109 (pathlib is slow to import)
        socket.send_fds(connection, [len(job).to_bytes(4)], [0, 1, 2])
        connection.sendall(job)
        if not (answer := connection.recv(4, socket.MSG_WAITALL)):
            raise ConnectionError("the server ended before it took the job")
        process = int.from_bytes(answer)

        def forward(received: int, _: object) -> None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(process, received)

        for forwarded in FORWARDED:
            signal.signal(forwarded, forward)
        status = connection.recv(1)
    if not status:
        print("error: the process of this job was killed", file=sys.stderr)
    return status[0] if status else KILLED


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback before there is a process to forward it to
        try:
            sys.exit(ask(sys.argv[1:], os.environ[SERVER]))
        except (KeyError, OSError):
            os.execv(sys.executable, [sys.executable, "-m", "benchmark", *sys.argv[1:]])
