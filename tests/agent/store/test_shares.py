"""Shares of the disk budget: who has taken it is refused, before and after a restart, and nobody else is."""

from __future__ import annotations

from agent.batch import Export, Signal
from agent.decode.senders import bytes_by_service
from agent.decode.spans import span_decoder
from agent.store.shares import Shares
from agent.store.store import Store
from tests.agent.store.keeping import NO_REQUESTS, StoppedClock, flushed, opened
from tests.telemetry import START, attributes, request, span


def export_of(service: str, count: int, size: int = 200) -> Export:
    spans = [span(n, attributes=attributes({"note": f"{n:x}" * size})) for n in range(count)]
    return Export(Signal.TRACES, request(*spans, service=service).SerializeToString(), count)


def keep(store: Store, shares: Shares | None, export: Export) -> None:
    decoded = span_decoder(lambda _: True).decode([export], START)
    assert decoded.batch is not None
    store.append([decoded.batch], NO_REQUESTS)
    if shares is not None:
        shares.add(store.segments[-1].name, export)


NOISY, QUIET = export_of("noisy", 50), export_of("quiet", 5)


def test_a_service_over_its_share_is_refused_until_what_it_sent_is_retired(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, None, QUIET)
        shares = Shares(store, bytes_by_service, store.segments[0].journal.stat().st_size * 2)
        shares.look()
        assert not shares.refuses(QUIET)
        keep(store, shares, NOISY)
        for _ in range(3):
            keep(store, shares, export_of("noisy", 60))
        shares.look()
        assert shares.full == {"noisy"}
        assert (shares.refuses(NOISY), shares.refuses(QUIET)) == (True, False)
        assert shares.refuses(Export(Signal.TRACES, NOISY.payload + QUIET.payload, 55)), "both are in it"
        store.segments = ()
        shares.look()
        assert shares.full == frozenset()
        assert not shares.refuses(NOISY)


def test_bytes_count_and_not_rows():
    assert len(NOISY.payload) > 5 * len(QUIET.payload)


def test_a_service_with_few_wide_records_has_its_bytes(tmp_path):
    with opened(tmp_path) as (store, _):
        shares = Shares(store, bytes_by_service, 1)
        shares._most_bytes = 0
        keep(store, shares, export_of("many", 50, 1))
        keep(store, shares, export_of("wide", 2, 20_000))
        size = sum(path.stat().st_size for path in store.segments[0].files if path.exists())
        shares._most_bytes = size // 2
        shares.look()
        assert shares.full == {"wide"}


def test_after_a_restart_what_lies_there_counts_by_its_rows(tmp_path):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        keep(store, None, NOISY)
        keep(store, None, QUIET)
        flushed(store, seal=True)
        keep(store, None, NOISY)
        keep(store, None, QUIET)
    with opened(tmp_path, clock) as (store, _):
        size = sum(path.stat().st_size for segment in store.segments for path in segment.files if path.exists())
        shares = Shares(store, bytes_by_service, size // 2)
        shares.look()
        assert shares.full == {"noisy"}
        shares._most_bytes = size
        shares.look()
        assert shares.full == frozenset()
