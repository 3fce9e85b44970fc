"""What was released, installed alone: the sdist, the wheel that it makes, and a virtual environment with that wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.tools import ROOT, run

UV = Path(sys.executable).parent / "uv"


@dataclass(frozen=True)
class Release:
    """``bin`` is the environment's; everything lies under ``home``, which every user may read."""

    home: Path
    sdist: Path
    wheel: Path

    @property
    def bin(self) -> Path:
        return self.home / "venv/bin"

    @property
    def pip(self) -> str:
        """Of this test's environment: the release's own has none."""
        return str(Path(sys.executable).parent / "pip")

    @property
    def environ(self) -> dict[str, str]:
        """What its programs need: the copied Python looks for its library at its old place."""
        paths = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "PYTHON": str(self.bin / "python")}
        return paths | {"LD_LIBRARY_PATH": str(self.home / "python/lib")}


@contextmanager
def released() -> Iterator[Release]:
    """A release of this checkout, installed; removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="coral-release-"))
    try:
        home.chmod(0o755)
        built = _build(home)
        _install(built)
        yield built
    finally:
        shutil.rmtree(home)


def _build(home: Path) -> Release:
    """The sdist of this checkout, and the wheel of what the sdist holds."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", home / "dist")
    (sdist,) = (home / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(home / "source", filter="data")
    (source,) = (home / "source").iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", home / "dist", cwd=source)
    (wheel,) = (home / "dist").glob("*.whl")
    return Release(home, sdist, wheel)


def _install(built: Release) -> None:
    """The wheel and what it needs, as the Dockerfile does it, over a copy of this Python that other users can reach."""
    python = built.home / "python"
    # Links where the file system allows, since a copy takes seconds.
    linked = subprocess.run(["cp", "-al", sys.base_prefix, python], capture_output=True, check=False)
    if linked.returncode:
        shutil.copytree(sys.base_prefix, python, symlinks=True, dirs_exist_ok=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    run(python / "bin" / version, "-m", "venv", "--without-pip", built.home / "venv")
    install = [UV, "pip", "install", "--quiet", "--python", built.bin / "python"]
    run(*install, "--only-binary", ":all:", "--require-hashes", "-r", ROOT / "requirements/run.txt")
    run(*install, "--no-deps", "--no-index", built.wheel)
    left_out = re.search(r"site-packages/pyarrow/\{(.+?)\}", (ROOT / "Dockerfile").read_text())
    assert left_out
    for pattern in left_out[1].split(","):
        for path in (built.home / f"venv/lib/{version}/site-packages/pyarrow").glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
