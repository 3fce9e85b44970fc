"""The address rule: a public address keeps its network, a private one and a name stay as they are."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

_V4_KEPT = (1 << 32) - (1 << 8)  # /24
_V6_KEPT = (1 << 128) - (1 << 80)  # /48


def _local(address: IPv4Address | IPv6Address) -> bool:
    return address.is_private or address.is_loopback or address.is_link_local


def _network(text: str) -> str | None:
    """The address with its host part zero; None when ``text`` is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return text if _local(address) else str(IPv4Address(int(address) & _V4_KEPT))
    if address.ipv4_mapped is not None:
        return text if _local(address.ipv4_mapped) else f"::ffff:{IPv4Address(int(address.ipv4_mapped) & _V4_KEPT)}"
    return text if _local(address) else str(IPv6Address(int(address) & _V6_KEPT))


def _one(text: str) -> str:
    network = _network(text)
    if network is not None:
        return network
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        return f"[{_network(host) or host}{bracket}{port}"
    host, colon, port = text.partition(":")
    return f"{_network(host) or host}{colon}{port}"


def truncate(text: str) -> str:
    """IPv4 to /24 and IPv6 to /48, with or without a port, one or a list with commas."""
    return ",".join(part.replace(part.strip(), _one(part.strip())) if part.strip() else part for part in text.split(","))
