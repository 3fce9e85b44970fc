"""A machine of one's own for what the guides tell people to type.

A namespace with a network in which every port is free, and /opt, /var/lib and /etc that nobody else sees; a copy of the checkout
whose .venv is this test's. Nothing outside of it is read as configuration, and nothing of it is left behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.tools import ROOT
from tests.needs import needs

_OWN = """
set -e
ip link set lo up
for place in opt var/lib; do mkdir -p "$1/$place"; mount --bind "$1/$place" "/$place"; done
mkdir -p "$1/etc" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/etc,workdir=$1/work" /etc
mount --bind "$2" "$2"
mount -o remount,bind,ro "$2"
echo ready
exec cat
"""
"""Until its standard input closes. The environment of the tests, which .venv leads to, may only be read."""


_OLD = 1_577_836_800
"""When the copy was last changed: long before its environment was made, so that make has nothing to make anew."""


class Newcomer:
    """Types commands in a copy of the checkout, with ``.venv/bin`` on the PATH."""

    def __init__(self, pid: int, home: Path) -> None:
        self._pid = pid
        self.home, self.checkout = home, home / "coral"

    def _command(self, typed: str, place: Path | None) -> list[str]:
        inside = ["nsenter", f"--target={self._pid}", "--mount", "--net", "--wdns=" + str(place or self.checkout)]
        # Whoever runs tests in the background has Ctrl-C ignored, and so would everything that they start.
        return [*inside, "env", "--default-signal=INT", "bash", "-c", f"set -o pipefail; {typed}"]

    def environ(self, *, alone: bool = False) -> dict[str, str]:
        """``alone``: without the checkout and its environment, as where only a wheel is installed."""
        venv = [] if alone else [f"{self.checkout}/.venv/bin"]
        path = os.pathsep.join([*venv, f"{self.home}/bin", "/usr/bin", "/bin", "/usr/sbin"])
        found = {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}
        return found if alone else found | {"PYTHONPATH": f"{self.checkout}:{self.checkout}/proto"}

    def type(self, typed: str, *, place: Path | None = None, seconds: float = 60, environ: dict[str, str] | None = None) -> str:
        """What a command prints on standard output; it must succeed, and say nothing of a traceback."""
        done = subprocess.run(
            self._command(typed, place),
            env=environ or self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, f"{typed}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def typing(
        self, typed: str, until: str, *, seconds: float = 60, environ: dict[str, str] | None = None
    ) -> Iterator[list[str]]:
        """A command that goes on, once it has printed ``until``; Ctrl-C ends it. Yields the lines printed up to there."""
        process = subprocess.Popen(
            self._command(typed, None),
            env=environ or self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        heard = Heard(process, until)
        try:
            assert heard.it.wait(seconds) and heard.is_there, f"it ended, or took too long: {''.join(heard.lines)}"  # noqa: PT018 one matter
            yield list(heard.lines)
        finally:
            _end(process)
            heard.join(20)


class Heard(threading.Thread):
    """Reads all that a program prints, so that it never waits for a reader; ``it`` is set at a text, or at the end."""

    def __init__(self, process: subprocess.Popen[str], until: str) -> None:
        super().__init__()
        self._process, self._until = process, until
        self.lines: list[str] = []
        self.it, self.is_there = threading.Event(), False
        self.start()

    def run(self) -> None:
        assert self._process.stdout
        with self._process.stdout as stdout:
            for line in stdout:
                self.lines.append(line)
                if self._until in line:
                    self.is_there = True
                    self.it.set()
        self.it.set()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """To the whole group, which may outlive who leads it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C does; twenty seconds later by force."""
    _signal(process, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    _signal(process, signal.SIGKILL)
    process.wait(20)


@contextmanager
def at_work() -> Iterator[Newcomer]:
    """A newcomer; its machine is gone at the end."""
    needs(
        os.geteuid() == 0 and shutil.which("nsenter") and shutil.which("ip"),
        "root, and the Debian packages util-linux and iproute2",
    )
    home = Path(tempfile.mkdtemp(prefix="coral-newcomer-"))
    command = [
        "unshare",
        "--net",
        "--mount",
        "--propagation=private",
        "sh",
        "-c",
        _OWN,
        "sh",
        str(home),
        str(Path(sys.prefix).resolve()),
    ]
    try:
        _furnish(home)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as machine:
            assert machine.stdout
            assert machine.stdout.readline() == "ready\n"
            yield Newcomer(machine.pid, home)
    finally:
        shutil.rmtree(home)


def _furnish(home: Path) -> None:
    """What is checked out and not ignored, with what ``make setup`` would install; and a ``python3.11``."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, found.split("\0")):
        source, target = ROOT / name, home / "coral" / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
            os.utime(target, (_OLD, _OLD))
    venv = home / "coral/.venv"
    venv.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".ready":
            (venv / path.name).symlink_to(path)
    (venv / ".ready").touch()
    (home / "bin").mkdir()
    (home / "bin/python3.11").symlink_to(Path(sys.base_prefix) / "bin/python3.11")
