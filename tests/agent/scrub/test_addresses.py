"""The address rule keeps the network of a public address."""

import pytest

from agent.scrub.addresses import truncate

CASES = [
    ("8.8.4.4", "8.8.4.0"),
    ("8.8.4.4:443", "8.8.4.0:443"),
    ("2a00:1450:4001:81b::200e", "2a00:1450:4001::"),
    ("[2a00:1450:4001:81b::200e]:443", "[2a00:1450:4001::]:443"),
    ("::ffff:8.8.4.4", "::ffff:8.8.4.0"),
    ("8.8.4.4, 10.0.0.1", "8.8.4.0, 10.0.0.1"),
]


@pytest.mark.parametrize(("address", "expected"), CASES)
def test_a_public_address_loses_its_host(address, expected):
    assert expected == truncate(address)
    assert expected == truncate(expected)


@pytest.mark.parametrize(
    "text", ["10.1.2.3", "127.0.0.1", "169.254.1.1", "fe80::1", "::ffff:10.1.2.3", "db.internal:5432", "", " , "]
)
def test_private_addresses_and_names_stay(text):
    assert text == truncate(text)
