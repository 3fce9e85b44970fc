"""The machine's defaults: memory under cgroups, the directory for state."""

from __future__ import annotations

from pathlib import Path

from agent.config import machine


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_cgroups_all_memory_counts(tmp_path: Path):
    assert machine.memory_bytes(tmp_path) > 1 << 20


def test_the_least_limit_of_the_cgroup_and_those_above_counts(tmp_path: Path):
    write(tmp_path / "proc/self/cgroup", "0::/system.slice/coral-agent.service\n")
    write(tmp_path / "sys/fs/cgroup/system.slice/coral-agent.service/memory.max", "max\n")
    write(tmp_path / "sys/fs/cgroup/system.slice/memory.max", "1048576\n")

    assert machine.memory_bytes(tmp_path) == 1 << 20


def test_in_a_container_the_limit_stands_at_the_mount(tmp_path: Path):
    write(tmp_path / "proc/self/cgroup", "0::/\n")
    write(tmp_path / "sys/fs/cgroup/memory.max", "2097152\n")

    assert machine.memory_bytes(tmp_path) == 2 << 20


def test_the_first_version_of_cgroups_counts_too(tmp_path: Path):
    write(tmp_path / "proc/self/cgroup", "4:cpu:/x\n3:memory:/docker/abc\n")
    write(tmp_path / "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "3145728\n")

    assert machine.memory_bytes(tmp_path) == 3 << 20


def test_state_lies_where_the_system_wants_it_for_root():
    assert machine.state_directory({"XDG_STATE_HOME": "/x"}, is_root=True) == Path("/var/lib/coral-agent")


def test_state_lies_where_xdg_says_for_a_user():
    assert machine.state_directory({"XDG_STATE_HOME": "/x"}, is_root=False) == Path("/x/coral-agent")
    assert machine.state_directory({"XDG_STATE_HOME": "x"}, is_root=False) == Path.home() / ".local/state/coral-agent"
    assert machine.state_directory({}, is_root=False) == Path.home() / ".local/state/coral-agent"
