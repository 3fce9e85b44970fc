"""The series of a data point: a hash of its attributes, the same wherever the same bytes stand."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from agent.batch import Export, Signal
from agent.decode.points import point_decoder
from agent.store.series import series_of
from tests.telemetry import EVERY_VALUE, START, attributes, every_metric, gauge, metric_request

SETS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", ""]), st.sampled_from(["", "1", "ab", 1, None]), max_size=3), max_size=8
)


def series(*metrics: Metric) -> list[tuple[int, tuple[bytes, ...]]]:
    """Each kept point's series and attributes."""
    payload = metric_request(*metrics).SerializeToString()
    decoded = point_decoder(lambda _: True).decode([Export(Signal.METRICS, payload, 0)], START)
    assert decoded.batch is not None
    rows = decoded.batch.rows
    return list(
        zip(series_of(rows.column("attributes")).to_pylist(), map(tuple, rows.column("attributes").to_pylist()), strict=True)
    )


def of(sent: Mapping[str, object]) -> Metric:
    return gauge("load", 1, attributes=attributes(sent))


@settings(deadline=None)
@given(SETS.filter(bool))
def test_points_are_of_one_series_when_their_attributes_are_the_same_bytes_and_only_then(sets):
    found = series(*map(of, sets))
    assert len(set(found)) == len({number for number, _ in found}) == len({wires for _, wires in found})


def test_a_series_is_the_same_in_every_request_and_beside_any_other_point():
    ((alone, _),) = series(of({"host": "a"}))
    together = series(of({}), of(EVERY_VALUE), of({"host": "a"}), of({"host": "b"}), of({"host": "a"}))
    assert [number for number, _ in together].count(alone) == 2
    assert together[2][0] == alone


def test_points_without_attributes_are_one_series():
    assert len(set(series(of({}), gauge("other", 1, 2)))) == 1


def test_points_of_every_kind_have_one():
    found = series(*every_metric())
    assert len({number for number, wires in found if wires == found[0][1]}) == 1


def test_the_order_of_attributes_counts():
    (one, _), (other, _) = series(of({"a": 1, "b": 2}), of({"b": 2, "a": 1}))
    assert one != other
