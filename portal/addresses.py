"""The addresses of this machine, as Linux tells them."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path

SIOCGIFADDR = 0x8915  # of <linux/sockios.h>
GLOBAL = "00"  # the scope in /proc/net/if_inet6; others need the name of an interface


def of_machine() -> Iterator[str]:
    """Return the addresses of all interfaces, loopback first."""
    yield from ("127.0.0.1", "::1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an address
                answer = fcntl.ioctl(probe, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                yield socket.inet_ntoa(answer[20:24])
    with suppress(OSError):  # no IPv6
        for line in Path("/proc/net/if_inet6").read_text("ascii").splitlines():
            digits, _, _, scope, *_ = line.split()
            if scope == GLOBAL:
                yield str(IPv6Address(int(digits, 16)))
