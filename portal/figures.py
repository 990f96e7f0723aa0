"""Figures as people read them."""

from __future__ import annotations

KILO = 1000
KIBI = 1024
TRANSPORTS = {
    "tcp": "TCP",
    "tls": "TLS",
    "ws": "WebSocket",
    "wss": "WebSocket with TLS",
    "web": "WebSocket through the portal",
}


def count(number: float) -> str:
    """Return a number with separators, such as 12,340."""
    return f"{number:,.0f}" if number == int(number) else f"{number:,}"


def size(number: float) -> str:
    """Return a number of bytes, such as 1.2 MB."""
    if number < KILO:
        return f"{number:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        number /= KILO
        if number < KILO - 0.5 or unit == "TB":
            break
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:.0f} {unit}"


def binary_size(number: float) -> str:
    """Return a number of bytes as limits are set, such as 16 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < KIBI or unit == "GiB":
            break
        number /= KIBI
    return f"{number:.0f} {unit}" if number == int(number) or number >= 10 else f"{number:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return a time such as 14 h 20 min; short ones to the minute or second."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def messages(number: int) -> str:
    """Return a number of messages in words."""
    return "1 message" if number == 1 else f"{count(number)} messages"


def transport(name: str) -> str:
    """Return what a way in is called."""
    return TRANSPORTS.get(name, name)
