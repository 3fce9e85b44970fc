"""Where a server listens or an agent answers: HOST:PORT, [IPv6]:PORT or unix:///path."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*")
_LONGEST_UNIX_PATH = 107
"""Of sockaddr_un.sun_path, the closing zero left out."""

FORMS = "HOST:PORT, [IPv6]:PORT or unix:///path"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address; ``str`` gives it as it is written, which is also how gRPC takes it.

    ``host`` is without brackets. With ``unix_path``, host and port are empty.
    """

    host: str
    port: int
    unix_path: str = ""

    def __str__(self) -> str:
        """As it is written in a configuration."""
        if self.unix_path:
            return f"unix://{self.unix_path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only processes of this machine can reach it."""
        if self.unix_path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """The endpoint that ``text`` names; port 0 lets the system choose.

        Raises:
            ValueError: it names none; the message says what would be right.
        """
        if text.startswith("unix:"):
            return cls("", 0, _unix_path(text))
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"write {FORMS}, with a port from 0 to 65535")
        return cls(_host(host), int(port))


def _unix_path(text: str) -> str:
    path = text.removeprefix("unix://")
    if not path.startswith("/") or "\0" in path:
        raise ValueError("write unix:// and an absolute path, like unix:///run/coral/agent.sock")
    if len(path.encode()) > _LONGEST_UNIX_PATH:
        raise ValueError(f"a socket's path may have {_LONGEST_UNIX_PATH} bytes; write a shorter one")
    return path


def _host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError as error:
            raise ValueError("write an IPv6 address between the brackets, like [::1]:4319") from error
    if not text:
        raise ValueError("write the host too: 127.0.0.1:PORT for this machine, 0.0.0.0:PORT for every interface")
    if ":" in text:
        raise ValueError("write brackets around an IPv6 address, like [::1]:4319, and no http://")
    if not _HOST.fullmatch(text):
        raise ValueError(f"write {FORMS}")
    return text
