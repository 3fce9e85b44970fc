"""Who is on the other end, and whether it may ask.

The identity is the one SPIFFE id in the peer's certificate (``peer_spiffe_id``), which grpc leaves out when there are two URI
names. Common names, DNS names and addresses never count: a DNS name can spell a SPIFFE id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+", re.ASCII)
"""SPIFFE-ID specification, sections 2.1 and 2.2: a trust domain in lower case, a path without empty segments."""


def matches(identity: str, pattern: str) -> bool:
    """Whether an identity is the one a pattern names; a last segment ``*`` stands for exactly one segment."""
    if not _SPIFFE_ID.fullmatch(identity) or any(part in (".", "..") for part in identity.split("/")[3:]):
        return False
    if not pattern.endswith("/*"):
        return identity == pattern
    parent, _, last = identity.rpartition("/")
    return parent == pattern.removesuffix("/*") and bool(last)


LONGEST_TOLD = 256


def described(identities: Sequence[bytes]) -> str:
    """Who somebody is, for the log: the identity if it is one, else why it is none; never any other text of a peer's."""
    if len(identities) != 1:
        return "several identities" if identities else "no identity"
    identity = identities[0].decode("utf-8", "replace")
    well_formed = len(identity) <= LONGEST_TOLD and _SPIFFE_ID.fullmatch(identity)
    return identity if well_formed else "a malformed identity"


class Door:
    """Decides who may ask; ``allowed`` is None where every caller may (plaintext on this machine only)."""

    def __init__(self, allowed: Iterable[str] | None) -> None:
        self._allowed = None if allowed is None else tuple(allowed)

    def admits(self, identities: Sequence[bytes]) -> bool:
        """Whether a peer whose auth context holds these ``peer_spiffe_id`` values may ask."""
        if self._allowed is None:
            return True
        if len(identities) != 1:
            return False
        identity = identities[0].decode("utf-8", "replace")
        return any(matches(identity, pattern) for pattern in self._allowed)
