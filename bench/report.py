"""What a run found: a table for people, JSON for everyone else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.machine import REPOSITORY, today
from bench.queries import BY_ATTRIBUTE

RESULTS = REPOSITORY / "bench/results"
WIDTH = 128

_TIMES = "… times"

_GOALS: dict[str, tuple[float, float]] = {
    _TIMES: (2, 1.2),
    "spans per CPU-second": (120_000, 200_000),
    "bytes per span on disk": (140, 90),
    "RSS at the steady rate, highest (MiB)": (350, 200),
    "acknowledgement at the steady rate p50 (ms)": (25, 10),
    "acknowledgement at the steady rate p99 (ms)": (80, 30),
    "trace by id": (25, 8),
    "service + 5 min, newest 1,000": (50, 20),
    "errors of the hour, 100": (50, 20),
    "text that no body has, 5 min": (250, 30),
    BY_ATTRIBUTE: (300, 300),
    "start after kill -9 with a full open segment (s)": (3, 1),
}
_GOALS_OF_SIGNAL: dict[str, dict[str, tuple[int, int]]] = {
    "logs": {"spans per CPU-second": (130_000, 300_000), "bytes per span on disk": (120, 80)},
    "metrics": {"spans per CPU-second": (150_000, 400_000)},
}

"""Must and aim of the reach of ingest and query; the first counts more the higher it is, the others the lower. They were set
for 10 million spans in the hour."""

Row = tuple[str, float | str]


def write(figures: dict[str, Any], name: str) -> Path:
    """The JSON of a run, dated and named."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{today():%Y-%m-%d}-{name}.json"
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    return path


def head(figures: dict[str, Any], console: Console) -> None:
    """What was measured, where and when."""
    about, plan = figures["about"], figures["plan"]
    console.print(
        f"[bold]{figures['name']}[/]: {plan['shape']} shape, {plan['connections']} connections, "
        f"server on core {plan['server_core']}, client on core {plan['client_core']}\n"
        f"{about['machine']['cpu']}, {about['machine']['cores']} cores, load {about['machine']['load_average']:.1f} before, "
        f"fixed work {about['machine']['speed_ms']} ms; "
        f"commit {about['commit'][:10]}{' and changes' if about['uncommitted'] else ''}, {about['date']}"
    )


def show(figures: dict[str, Any], console: Console) -> None:
    """The table of a run."""
    table = Table("", "measured", "must", "aim", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    goals = _GOALS | _GOALS_OF_SIGNAL.get(figures["plan"]["signal"], {})
    for title, rows in _sections(figures):
        table.add_section()
        table.add_row(f"[bold]{title}[/]")
        for label, value in rows:
            goal = goals.get(label)
            table.add_row(f"  {label}", _coloured(goal, value), *map(_number, goal or ("", "")))
    console.print(table)
    for complaint in figures.get("saturated", {}).get("complaints", []):
        console.print(f"[yellow]the agent said:[/] {complaint}")


def _sections(figures: dict[str, Any]) -> list[tuple[str, list[Row]]]:
    sections = []
    if "saturated" in figures:
        sections.append(("saturated", _saturated(figures["saturated"])))
    if "killed" in figures:
        found = figures["killed"]
        rows: list[Row] = [
            ("start after kill -9 with a full open segment (s)", found["start_seconds"]),
            ("RSS then (MiB)", found["rss_mib"]),
            *_queries(found.get("queries", {})),
        ]
        sections.append((f"killed with {found['spans']:,} spans in {found['journal_mib']} MiB of journal", rows))
    if "filled" in figures:
        filled = figures["filled"]
        kept = f"{filled['spans_accepted']:,} spans in {filled['segments']} segments"
        title = f"queries over {kept}: p50 / p95 ms (CPU; fixed work)"
        sections.append((title, [*_restarted(figures), *_queries(figures.get("queries", {}))]))
    if "steady" in figures:
        sections.append((f"steady {figures['plan']['rate']:,.0f} spans/s", _steady(figures["steady"])))
    if "busy" in figures:
        sections.append(("the same queries at the steady rate, and times as long as at rest behind it", _busy(figures["busy"])))
    return sections


def _saturated(found: dict[str, Any]) -> list[Row]:
    rows: list[Row] = [
        ("spans accepted", found["spans_accepted"]),
        ("errors", ", ".join(f"{count} {code}" for code, count in found["errors"].items()) or "none"),
        ("bytes per span on the wire", found["bytes_per_span_on_the_wire"]),
        ("spans per second", found["spans_per_second"]),
        ("spans per CPU-second", found["spans_per_cpu_second"]),
        ("CPU-seconds, of which after the load", f"{found['cpu_seconds']} / {found['cpu_seconds_after_the_load']}"),
        ("acknowledgement p50 / p99 / max (ms)", f"{found['ack_p50_ms']} / {found['ack_p99_ms']} / {found['ack_max_ms']}"),
        ("RSS at start / peak / end (MiB)", " / ".join(str(found[f"rss_{at}_mib"]) for at in ("at_start", "peak", "end"))),
        ("bytes written per span", found["written_bytes_per_span"]),
        ("client, cores", found["client_cores"]),
    ]
    if "bytes_per_span_on_disk" in found:
        sealing = f"{found['cpu_seconds_of_stop_and_seal']} / {found['stop_seconds']}"
        rows += [("stop and seal, CPU-seconds / seconds", sealing), ("bytes per span on disk", found["bytes_per_span_on_disk"])]
    return rows


def _restarted(figures: dict[str, Any]) -> list[Row]:
    again = figures["restarted"]
    return [
        ("bytes per span on disk", figures["filled"]["bytes_per_span_on_disk"]),
        ("start over it (s)", again["start_seconds"]),
        ("RSS after start / after the queries (MiB)", f"{again['rss_mib']} / {again['rss_after_queries_mib']}"),
    ]


def _queries(found: dict[str, Any]) -> list[Row]:
    return [(name, f"{q['p50_ms']} / {q['p95_ms']} ({q['server_cpu_ms']}; {q['speed_ms']})") for name, q in found.items()]


def _busy(found: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for (name, value), after, loaded in zip(
        _queries(found["queries"]), found["after"].values(), found["queries"].values(), strict=True
    ):
        times = [round(loaded[share] / after[share], 2) for share in ("p50_ms", "p95_ms")]
        rows += [(f"{name}, loaded", value), (_TIMES, f"{times[0]} / {times[1]}")]
    load = found["load"]
    return [*rows, ("acknowledgement meanwhile p50 / p99 (ms)", f"{load['ack_p50_ms']} / {load['ack_p99_ms']}")]


def _steady(found: dict[str, Any]) -> list[Row]:
    return [
        ("spans per second", found["spans_per_second"]),
        ("cores used", found["cores_used"]),
        ("acknowledgement at the steady rate p50 (ms)", found["ack_p50_ms"]),
        ("acknowledgement at the steady rate p99 (ms)", found["ack_p99_ms"]),
        ("RSS at the steady rate, highest (MiB)", found["rss_max_mib"]),
        ("RSS slope (MiB a minute)", found["rss_slope_mib_per_minute"]),
        ("open files slope (a minute)", found["files_slope_per_minute"]),
        ("bytes written per span", found["written_bytes_per_span"]),
    ]


def _coloured(goal: tuple[float, float] | None, value: float | str) -> str:
    text = _number(value)
    if goal is None:
        return text
    measured = float(value.split(" / ")[1].split()[0]) if isinstance(value, str) else value
    must, aim = goal
    more = must < aim
    colour = next(
        (c for goal, c in ((aim, "green"), (must, "yellow")) if (measured >= goal if more else measured <= goal)), "red"
    )
    return f"[{colour}]{text}[/]"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
