"""Tables of a TOML file, read key by key: what is missing, of another type, out of bounds or unknown is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_connector.errors import ConfigFault

_REQUIRED: Any = object()
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Table:
    """A table; whoever has read all that they know calls `done`, so that a misspelt key is no silent default."""

    def __init__(self, place: str, values: Mapping[str, Any], folder: Path = Path()) -> None:
        self.place = place
        self._folder = folder  # that paths in it begin from
        self._values = values
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str, default: str = _REQUIRED) -> str:
        return str(self._get(key, default, str, "text"))

    def path(self, key: str) -> Path:
        """Return a path, which the file gives from the root or from the folder that it is in."""
        return self._folder / self.text(key)

    def flag(self, key: str, default: bool = _REQUIRED) -> bool:
        return bool(self._get(key, default, bool, "true or false"))

    def integer(self, key: str, default: int = _REQUIRED, *, low: int = 0, high: int = 2**31) -> int:
        found = self._get(key, default, int, "a whole number")
        self._bound(key, found, low, high)
        return int(found)

    def number(self, key: str, default: float = _REQUIRED, *, low: float = 0, high: float = 2**31) -> float:
        found = self._get(key, default, (int, float), "a number")
        self._bound(key, found, low, high)
        return float(found)

    def choice(self, key: str, choices: tuple[str, ...], default: str = _REQUIRED) -> str:
        found = self.text(key, default)
        if found not in choices:
            raise self.fault(key, f"has to be one of {', '.join(choices)}")
        return found

    def texts(self, key: str, default: list[str] = _REQUIRED) -> list[str]:
        found = self._get(key, default, list, "a list of texts")
        if not all(isinstance(one, str) for one in found):
            raise self.fault(key, "has to be a list of texts")
        return list(found)

    def integers(self, key: str, default: list[int] = _REQUIRED, *, low: int = 0, high: int = 2**31) -> list[int]:
        found = self._get(key, default, list, "a list of whole numbers")
        if not found or not all(type(one) is int and low <= one <= high for one in found):
            raise self.fault(key, f"has to be a list of whole numbers from {low} to {high}")
        return list(found)

    def table(self, key: str, default: Mapping[str, Any] = _REQUIRED) -> Table:
        return Table(f"{self.place}.{key}", self._get(key, default, dict, "a table"), self._folder)

    def tables(self, key: str, default: Mapping[str, Any] = _REQUIRED) -> dict[str, Table]:
        """Return the tables in a table, by name."""
        inside = self.table(key, default)
        return {name: inside.table(name) for name in inside._values}

    def rows(self, key: str, default: list[Mapping[str, Any]] = _REQUIRED) -> list[Table]:
        """Return the tables in a list."""
        found = self._get(key, default, list, "a list of tables")
        if not all(isinstance(one, dict) for one in found):
            raise self.fault(key, "has to be a list of tables")
        return [Table(f"{self.place}.{key}[{index}]", one, self._folder) for index, one in enumerate(found)]

    def strings(self, key: str, default: Mapping[str, str] = _REQUIRED) -> dict[str, str]:
        """Return a table whose values are texts."""
        inside = self.table(key, default)
        return {name: inside.text(name) for name in inside._values}

    def fingerprint(self) -> str:
        """Return the SHA-256 of a certificate as 64 lower-case digits, or nothing."""
        text = self.text("fingerprint", "")
        digits = text.replace(":", "").replace(" ", "").lower()
        if text and not _SHA256.fullmatch(digits):
            raise self.fault("fingerprint", "has to be the SHA-256 of a certificate: 64 hexadecimal digits")
        return digits

    def done(self) -> None:
        """Refuse what nobody has read."""
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            raise self.fault(unknown[0], "is unknown")

    def fault(self, key: str, what: str) -> ConfigFault:
        return ConfigFault(f"{self.place}.{key} {what}".lstrip("."))

    def _get(self, key: str, default: Any, types: type | tuple[type, ...], what: str) -> Any:
        self._read.add(key)
        if key not in self._values:
            if default is _REQUIRED:
                raise self.fault(key, "is missing")
            return default
        found = self._values[key]
        is_flag = isinstance(found, bool) and types is not bool
        if is_flag or not isinstance(found, types):
            raise self.fault(key, f"has to be {what}")
        return found

    def _bound(self, key: str, found: float, low: float, high: float) -> None:
        if not low <= found <= high:
            raise self.fault(key, f"has to be from {low} to {high}")
