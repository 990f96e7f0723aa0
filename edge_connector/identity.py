"""Who this agent is: made at its first start and kept beside its buffer.

Each agent has an instance id, so that the server can tell two of the same name.  A member of a fleet has its part of
the name and its password from here as well; with the fleet's token it becomes an integration when it first connects.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge_connector import keeping
from edge_connector.config import Config, Fleet
from edge_connector.errors import ConfigFault

ID_LENGTH = 8
PASSWORD_BYTES = 24  # 32 characters
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class _Kept:
    instance: str
    id: str = ""  # of a member of a fleet, as all that follows
    password: str = ""
    joined: str = ""  # the prefix of the fleet that it is a member of


class Identity:
    """What the file says, and the password for the next attempt to connect."""

    def __init__(self, path: Path, fleet: Fleet | None) -> None:
        self._path = path
        self._fleet = fleet
        self._kept = self._load() or _Kept("")
        try:
            self._complete()
        except OSError as error:
            raise ConfigFault(f"cannot write {path}: {error}") from None

    @property
    def instance(self) -> str:
        return self._kept.instance

    def completed(self, config: Config) -> Config:
        """Return a configuration with name and credentials, which those of a fleet do not have."""
        if self._fleet is None:
            return config
        name = f"{self._fleet.prefix}-{self._kept.id}"
        return replace(config, name=name, server=replace(config.server, username=name, password=self._kept.password))

    def password(self, own: str) -> str:
        """Return the password to try; that of a member asks to join until it has: its own alone would be a guess."""
        if self._fleet is None or self._kept.joined == self._fleet.prefix:
            return own
        return f"join:{self._fleet.token}:{own}"

    def accepted(self) -> None:
        """Hear that the server has let it in.  Raises `OSError`."""
        if self._fleet is not None and self._kept.joined != self._fleet.prefix:
            self._keep(replace(self._kept, joined=self._fleet.prefix))

    def _load(self) -> _Kept | None:
        try:
            return _Kept(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ConfigFault(f"cannot read {self._path}: {error}; without it, the agent begins as a new one") from None

    def _complete(self) -> None:
        """Make what is not there yet.  Raises `OSError`."""
        kept = self._kept
        if not kept.instance:
            kept = replace(kept, instance=secrets.token_hex(16))
        if self._fleet is not None and not kept.id:
            id = "".join(secrets.choice(_LETTERS) for _ in range(ID_LENGTH))
            kept = replace(kept, id=id, password=secrets.token_urlsafe(PASSWORD_BYTES))
        if kept != self._kept:
            self._keep(kept)

    def _keep(self, kept: _Kept) -> None:
        keeping.write(self._path, json.dumps(asdict(kept), indent=1).encode())
        self._kept = kept
