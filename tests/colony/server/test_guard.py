"""Who is let in, and by which names."""

from __future__ import annotations

import pytest

from colony.endpoint import Endpoint
from colony.server.guard import Access, security_of


def test_on_loopback_only_this_machine_is_a_host_and_an_origin():
    security = security_of(Access(Endpoint("127.0.0.1", 4321)))

    assert security.enable_dns_rebinding_protection
    assert {"localhost:*", "127.0.0.1:*", "[::1]:*"} <= set(security.allowed_hosts)
    assert all("//localhost" in one or "//127.0.0.1" in one or "//[::1]" in one for one in security.allowed_origins)


@pytest.mark.parametrize(("host", "name"), [("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "[2001:db8::1]")])
def test_off_loopback_the_address_and_what_is_configured_are_hosts_and_nothing_is_an_origin(host, name):
    security = security_of(Access(Endpoint(host, 4321), ("colony:*",)))

    assert ["colony:*", name, f"{name}:*"] == security.allowed_hosts
    assert security.allowed_origins == []
