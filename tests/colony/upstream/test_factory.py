"""All servers of a configuration: names that every host takes, and which tools are offered."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from colony.instruments import Instruments
from colony.upstream.factory import offered_name, upstreaming
from tests.colony.upstream.servers import Seen, run, settings, strict
from tests.colony.upstream.small_tempo import SmallTempo, base, tempo_at
from tests.ports import free_port


@pytest.mark.parametrize(
    ("tool", "expected"),
    [("traceql-search", "tempo_traceql-search"), ("a.b/c", "tempo_a_b_c_8b5a52"), ("x" * 80, None), ("é", None)],
)
def test_names_are_of_characters_and_a_length_that_every_host_takes(tool, expected):
    name = offered_name("tempo", tool)
    assert len(name) <= 64
    assert name.isascii()
    assert name.startswith("tempo_")
    if expected and tool == "traceql-search":
        assert name == expected
    assert name == offered_name("tempo", tool), "the same at every start"
    assert offered_name("tempo", "a_b") != offered_name("tempo", "a.b")


def test_one_that_is_down_costs_its_own_tools_only():
    async def body():
        server = SmallTempo().server()
        async with strict(Seen()) as other, tempo_at(server) as tempo:
            each = [
                settings(other.url, name="first", tools=("ec*", "write")),
                settings(base(tempo), name="second", kind="tempo"),
                settings(f"http://127.0.0.1:{free_port()}", name="third"),
            ]
            async with upstreaming(each, Instruments(CollectorRegistry())) as upstreams:
                statuses = await upstreams.settled()
                assert [status.state.value for status in statuses] == ["up", "up", "down"]
                names = list(upstreams.offered())
                assert names[:2] == ["first_echo", "first_write"]
                assert sum(name.startswith("second_") for name in names) == 9
                assert upstreams.history is not None
                assert upstreams.history.source == "upstream/second"

    run(body)
