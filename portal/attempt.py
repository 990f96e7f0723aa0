"""One attempt to come in, as the guard counts it."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Pair = tuple[str, str]  # a username and an origin


class Attempt:
    """One attempt to come in, reduced to what counts; the username has to be printable and of bounded length."""

    __slots__ = ("address", "name", "origin", "password", "protocol")

    def __init__(self, protocol: str, username: str, password: bytes, address: str) -> None:
        self.protocol = protocol
        self.name = username
        self.password = password
        self.address = address
        self.origin = origin_of(address) if ":" in address else address

    @property
    def pair(self) -> Pair:
        return self.name, self.origin


@lru_cache(4096)
def is_local(address: str) -> bool:
    """Tell whether an address is none of the Internet: nobody can come from very many of these but from inside."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if parsed.version == 6 else None
    return (mapped or parsed).is_private


@lru_cache(4096)
def origin_of(address: str) -> str:
    """Return what an address is counted as: a customer of a provider commands a whole /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
