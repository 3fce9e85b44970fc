"""What the command line says of logs and metrics that a running agent keeps."""

from __future__ import annotations

import asyncio

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, NumberDataPoint
from typer.testing import CliRunner

from agent.cli.commands import commands
from tests.flow.house import House, house, in_house
from tests.telemetry import SECOND, START, any_value, attributes, every_metric, full_log, log, log_request, metric_request

WINDOW = ("--start", "2026-09-21T14:13:20Z", "--end", "2026-09-21T14:14:20Z")


async def typed(agent: House, *words: str) -> str:
    """What a command prints at a terminal of 160 columns."""

    def run() -> str:
        result = CliRunner().invoke(commands, [*words, "--target", agent.listening.query], env={"COLUMNS": "160"})
        assert result.exit_code == 0, result.output
        return result.stdout

    return await asyncio.to_thread(run)


def test_logs_go_by_level_text_and_attribute(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            failed = log(1, severity_number=17, body=any_value("50% OFF_all\nfailed"), attributes=attributes({"code": 7}))
            await agent.export_logs(log_request(log(0), failed, full_log(2)))
            everything = await typed(agent, "logs", *WINDOW, "--order", "oldest")
            by_level = await typed(agent, "logs", *WINDOW, "--level", "error", "--text", "% off_A")
            by_attribute = await typed(agent, "logs", *WINDOW, "-a", "code=7")
        first, *_, footer = everything.splitlines()
        assert first.split()[1:] == ["INFO", "checkout", "record", "0"]
        assert footer.startswith("showing 3 of 3, oldest first; 2026-09-21")
        assert "ERROR checkout 50% OFF_all (+1 lines) code=7" in by_level
        assert by_level == by_attribute

    in_house(body)


def counter(*numbers: int) -> Metric:
    """A monotonic cumulative sum with a point each second."""
    metric = Metric(name="orders", unit="{order}")
    metric.sum.is_monotonic = True
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    for second, number in enumerate(numbers):
        metric.sum.data_points.append(NumberDataPoint(time_unix_nano=START + second * SECOND, as_int=number))
    return metric


def test_a_counter_is_plotted_as_a_rate_over_a_restart(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export_metrics(metric_request(counter(10, 20, 20, 30, 4, 8)))
            plotted = await typed(agent, "metrics", "--metric", "orders", *WINDOW)
            two_by_two = await typed(agent, "metrics", "--metric", "orders", *WINDOW, "--step", "2s")
        assert plotted.startswith("orders checkout\n")
        assert "min 0  max 10  last 4 {order}/s  per second, from a cumulative sum" in plotted
        assert "showing 1 of 1 series" in plotted
        assert "min 4  max 5  last 4 {order}/s" in two_by_two

    in_house(body)


def test_every_kind_of_metric_is_named_listed_and_plotted(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            metrics = every_metric()
            await agent.export_metrics(metric_request(*metrics))
            listed = await typed(agent, "metrics", "--service", "checkout")
            points = await typed(agent, "metrics", "--points", *WINDOW)
            plotted = await typed(agent, "metrics", "--step", "10s", *WINDOW)
            names = await typed(agent, "names")
        for metric in metrics:
            for text in (listed, plotted, names):
                assert metric.name in text
        for kind in ("gauge", "sum", "histogram", "exponential-histogram", "summary"):
            assert kind in listed.split()
            assert kind in points.replace(",", " ").split()

    in_house(body)
