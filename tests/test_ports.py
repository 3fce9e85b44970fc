"""No two programs of the tests are told the same port."""

from __future__ import annotations

from itertools import islice

from tests.ports import free_ports, ports_of


def test_workers_have_no_port_in_common():
    own = [set(islice(ports_of(worker, 3), 4000)) for worker in range(3)]
    assert [len(ports) for ports in own] == [4000] * 3
    assert len(set.union(*own)) == 12_000


def test_a_port_is_not_given_again_before_its_program_had_time_to_bind():
    given = [port for _ in range(50) for port in free_ports(4)]
    assert len(set(given)) == 200
