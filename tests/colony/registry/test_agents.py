"""What follows from what agents say: names, twins, replaced addresses, wrong clocks."""

from __future__ import annotations

from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.duration_pb2 import Duration

from colony.endpoint import Endpoint
from colony.outcome import Result
from colony.registry.agents import MAX_LISTED, Inventory, Known, inventory_of, name_all
from colony.signals import LOGS, SPANS
from tests.colony.rows import SECOND, START, at


def info(agent_id: str = "n1", instance: str = "", services: tuple[str, ...] = ("shop",), **fields: Any) -> Any:
    kept = [api.ServiceInfo(service_name=name, rows=1) for name in services]
    return api.GetDataInfoResponse(
        agent_id=agent_id,
        instance_id=instance,
        retention=Duration(seconds=3600),
        signals=[api.SignalInfo(signal="traces", services=kept)],
        **fields,
    )


def inventory(*args: Any, **fields: Any) -> Inventory:
    return inventory_of(info(*args, **fields), START, START)


def known(port: int, *args: Any, result: Result = Result.ANSWERED, **fields: Any) -> Known:
    endpoint = Endpoint("127.0.0.1", port)
    return Known(endpoint, str(endpoint), inventory(*args, **fields), result)


def test_a_clocks_offset_is_from_the_middle_of_the_request_and_known_to_half_of_it():
    found = inventory_of(info(agent_time=at(START + 300 * SECOND)), START, START + 2 * SECOND)

    assert (found.offset_ns, found.offset_error_ns) == (299 * SECOND, SECOND)
    assert found.shift_ns == 299 * SECOND


@pytest.mark.parametrize(("ahead", "took"), [(0.9, 0.1), (3.0, 4.0), (-0.5, 0.0)])
def test_a_clock_that_may_be_right_is_right(ahead: float, took: float):
    middle = START + round(took / 2 * SECOND)
    found = inventory_of(info(agent_time=at(middle + round(ahead * SECOND))), START, START + round(took * SECOND))

    assert found.shift_ns == 0


def test_an_agent_too_old_to_tell_its_time_is_taken_to_be_right():
    assert inventory().shift_ns == 0


def test_an_agent_has_what_it_lists_and_one_that_never_told_may_have_anything():
    told, silent = known(1), Known(Endpoint("h", 2), "h:2")

    assert (told.may_host("shop", SPANS), told.may_host("shop", LOGS), told.may_host("cart")) == (True, False, False)
    assert told.may_host("")
    assert silent.may_host("cart", LOGS)
    assert known(1, services=tuple(map(str, range(MAX_LISTED)))).may_host("beyond the list")


def test_everything_is_kept_for_the_retention_unless_the_disk_budget_cut_it():
    assert inventory().since_ns == START - 3600 * SECOND
    cut = info(segments_retired_by_budget=1)
    cut.signals[0].earliest_time.CopyFrom(at(START - 60 * SECOND))
    assert inventory_of(cut, START, START).since_ns == START - 60 * SECOND


def names(*agents: Known) -> list[tuple[str, str, bool]]:
    name_all(agents)
    return [(agent.name, agent.stands_behind, agent.shares_id) for agent in agents]


def test_one_process_at_two_addresses_is_asked_once():
    assert names(known(2, "n1", "i"), known(1, "n1", "i")) == [
        ("n1@127.0.0.1:2", "127.0.0.1:1", False),
        ("n1", "", False),
    ]


def test_two_processes_under_one_id_are_both_asked_and_told_apart():
    assert names(known(1, "n1", "i"), known(2, "n1", "j"), known(3, "n2", "k")) == [
        ("n1@127.0.0.1:1", "", True),
        ("n1@127.0.0.1:2", "", True),
        ("n2", "", False),
    ]
    assert names(known(1), known(2)) == [("n1@127.0.0.1:1", "", True), ("n1@127.0.0.1:2", "", True)], "too old to tell"


def test_an_address_that_fell_silent_stands_behind_the_one_that_took_its_id_over():
    assert names(known(1, "n1", "old", result=Result.UNREACHABLE), known(2, "n1", "new")) == [
        ("n1@127.0.0.1:1", "127.0.0.1:2", False),
        ("n1", "", False),
    ]


def test_of_two_silent_ones_both_are_asked():
    silent = Result.UNREACHABLE
    assert [stands for _, stands, _ in names(known(1, "n1", "i", result=silent), known(2, "n1", "j", result=silent))] == [
        "",
        "",
    ]


def test_an_agent_without_an_id_goes_by_its_address():
    assert names(known(1, ""), known(2, "")) == [("127.0.0.1:1", "", False), ("127.0.0.1:2", "", False)]


def test_no_id_hides_another_agent_or_steers_a_terminal():
    silent = Known(Endpoint("127.0.0.1", 9), "127.0.0.1:9")
    assert [name for name, _, _ in names(known(1, "127.0.0.1:9"), silent)] == [
        "127.0.0.1:9@127.0.0.1:1",
        "127.0.0.1:9@127.0.0.1:9",
    ]
    assert inventory("n\x1b[31m1\n" + "x" * 1000).agent_id.startswith("n [31m1 xxx")
    assert len(inventory("x" * 1000).agent_id) == 200
