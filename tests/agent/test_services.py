"""Which service a Resource names, and whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from agent.services import UNKNOWN_SERVICE, OwnServices, normal, service_name
from tests.telemetry import attributes

NAMES = st.text(max_size=9)


def resource(**values: object) -> bytes:
    return Resource(attributes=attributes({key.replace("_", "."): value for key, value in values.items()})).SerializeToString()


def test_the_service_is_the_resource_s_service_name():
    assert service_name(resource(host_name="h", service_name="checkout")) == "checkout"


@pytest.mark.parametrize("value", ["", 5, 1.5, True, b"checkout", None, ["checkout"], {"a": "checkout"}])
def test_a_name_that_is_empty_or_no_string_is_unknown(value):
    assert service_name(resource(service_name=value)) == UNKNOWN_SERVICE


@pytest.mark.parametrize("wire", [None, b"", resource(service_namespace="shop")])
def test_no_name_at_all_is_unknown(wire):
    assert service_name(wire) == UNKNOWN_SERVICE


@pytest.mark.parametrize(("values", "expected"), [(("a", "b"), "a"), (("", "b"), UNKNOWN_SERVICE), ((5, "b"), UNKNOWN_SERVICE)])
def test_the_first_of_duplicate_names_counts(values, expected):
    wire = b"".join(resource(service_name=value) for value in values)
    assert service_name(wire) == expected


def test_what_is_no_resource_is_refused():
    with pytest.raises(ValueError, match="resource"):
        service_name(b"\xff")


@given(NAMES)
def test_a_normal_name_stays_as_it_is(name):
    assert normal(normal(name)) == normal(name)


def test_names_are_compared_without_surrounding_space_in_one_unicode_form_and_with_their_case():
    assert normal(" cafe\u0301\n") == "caf\u00e9"
    assert normal("Checkout") == "Checkout"


@given(st.lists(NAMES, min_size=1), NAMES)
def test_own_services_are_those_named_and_no_others(named, other):
    own = OwnServices.of(named)
    assert all(own.owns(f" {name} ") for name in named)
    assert own.owns(other) == (normal(other) in {normal(name) for name in named})


@given(NAMES)
def test_no_own_services_means_that_every_one_is(name):
    assert OwnServices.of([]).owns(name)
