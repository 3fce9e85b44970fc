"""Which service a Resource names, and whether it is one of ours."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

UNKNOWN_SERVICE = "unknown_service"


def service_name(resource: bytes | None) -> str:
    """The ``service.name`` in a Resource's wire bytes.

    The first of duplicate keys counts. Missing, empty or not a string: ``unknown_service``.

    Raises:
        ValueError: the bytes are not a Resource.
    """
    if not resource:
        return UNKNOWN_SERVICE
    try:
        attributes = Resource.FromString(resource).attributes
    except DecodeError as error:
        raise ValueError("resource is not valid protobuf") from error
    for attribute in attributes:
        if attribute.key == "service.name":
            return attribute.value.string_value or UNKNOWN_SERVICE
    return UNKNOWN_SERVICE


def normal(name: str) -> str:
    """The form in which service names are compared: NFC, without surrounding white space, case kept."""
    return unicodedata.normalize("NFC", name).strip()


@dataclass(frozen=True, slots=True)
class OwnServices:
    """The node's own services; none named means that every service is."""

    names: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> OwnServices:
        """The own services from the configuration's list."""
        return cls(frozenset(normal(name) for name in names))

    def owns(self, name: str) -> bool:
        """Whether ``name`` is one of ours."""
        return not self.names or normal(name) in self.names


@dataclass(slots=True)
class CurrentServices:
    """The own services as they are configured now."""

    own: OwnServices

    def owns(self, name: str) -> bool:
        """Whether ``name`` is one of ours."""
        return self.own.owns(name)
