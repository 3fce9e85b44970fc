"""Names and what is kept: within the bytes of a reply, the most frequent first."""

from __future__ import annotations

from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Signal
from agent.query.kept import inventory
from agent.query.names import NamesSearch
from tests.agent.query.asking import DEFAULT, NOW, SINCE, keep, planner
from tests.agent.store.keeping import opened, reading
from tests.telemetry import attributes, request, span

ROOMS = dict.fromkeys(Signal, DEFAULT)


def test_what_does_not_fit_a_reply_goes_the_rarest_first(tmp_path):
    long = ["x" * 300 + f" {n}" for n in range(50)]
    with opened(tmp_path) as (store, _):
        keep(store, *(span(n, name=name, attributes=attributes({"k": 1})) for n, name in enumerate([*long, *long[:10]])))
        with reading(store) as one:
            asked = planner().names(api.ListNamesRequest(**SINCE), NOW)
            whole = NamesSearch(asked, one, ROOMS).run()
            cut = NamesSearch(asked, one, ROOMS).run(8000)
    assert (len(whole.operations), list(whole.warnings)) == (50, [])
    assert cut.ByteSize() <= 8000
    assert [o.name for o in cut.operations] == [o.name for o in whole.operations][: len(cut.operations)]
    assert {o.name for o in cut.operations} >= set(long[:10])
    assert list(cut.warnings) == ["the rarest names were left out: they do not fit into one reply"]


def test_services_that_do_not_fit_a_reply_are_left_out_and_their_rows_counted(tmp_path):
    with opened(tmp_path) as (store, _):
        for number in range(30):
            keep(store, sent=request(span(number), service=f"{number:02} " + "s" * 200))
        with reading(store) as one:
            found = inventory(one, None, ROOMS)
    (whole,) = found.messages(1.0, 1 << 20)
    (cut,) = found.messages(1.0, 9000)
    assert (len(whole.services), whole.rows, cut.rows) == (30, 30, 30)
    assert 0 < len(cut.services) < 30
    assert cut.ByteSize() <= 3000
