"""Takes a new release over the connection: from whoever knows the integration's password, and from nobody else.

It is unpacked beside what runs, its packages are installed, and then it is started on trial (`launch.py`).  Until then
a failure changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edge_connector import environments, keeping, unpacking
from edge_connector.config import Config
from edge_connector.errors import EdgeError, Refused
from edge_connector.releases import Outcome, Releases

log = logging.getLogger(__name__)

INSTALLING, TRIAL = "installing", "trial"

_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}")


class Updater:
    """One update at a time."""

    def __init__(self, config: Config, installed: Path | None) -> None:
        self._config = config
        self._releases = Releases(config.state, installed) if installed and config.updates else None
        self._why_not = "it was not started by run.py, which could go back to the previous release"
        if not config.updates:
            self._why_not = "agent.updates is false in its configuration file"
        self._busy = threading.Lock()
        self._now = Outcome()  # of what is under way, or has failed here
        if self._releases is not None and (last := self._releases.load().last).state == INSTALLING:
            self._now = Outcome("failed", last.version, "it was interrupted while it was installed")
        self.restart_requested: Callable[[], None] = lambda: None

    def status(self) -> dict[str, Any]:
        """Return possible, state ("", installing, trial, done, failed), version and error."""
        found = self._now
        if self._releases is not None and not found.state:
            found = self._releases.load().last
        return {"possible": self._releases is not None, **asdict(found)}

    @property
    def is_under_way(self) -> bool:
        """Tell whether a release is being installed, or on trial."""
        return self._busy.locked() or self.status()["state"] == TRIAL

    def begin(self, version: str, archive_base64: str, mac: str) -> None:
        """Check an update, and go on with it in a thread.  Raises `Refused`."""
        if self._releases is None:
            raise Refused(f"this agent cannot be updated from afar: {self._why_not}")
        archive = self._checked(version, archive_base64, mac)
        name = f"{version}-{hashlib.sha256(archive).hexdigest()[:12]}"
        if not self._busy.acquire(blocking=False):
            raise Refused("an update is under way")
        try:
            record = self._releases.load()
            if record.trial:
                raise Refused("a release is on trial")
            if record.current == name:
                raise Refused(f"this release of {version} is what runs")
            self._tell(self._releases, Outcome(INSTALLING, version))
            args = (self._releases, name, version, archive)
            threading.Thread(target=self._update, args=args, name="update", daemon=True).start()
        except BaseException:
            self._busy.release()
            raise

    def _checked(self, version: str, archive_base64: str, mac: str) -> bytes:
        if not _VERSION.fullmatch(version):
            raise Refused("version has to be one, such as 0.2.0")
        try:
            archive = base64.b64decode(archive_base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refused(f"the archive is no base64: {error}") from None
        key = self._config.server.password.encode()
        right = hmac.new(key, version.encode() + b"\0" + archive, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), mac.encode("utf-8", "replace")):
            log.error("an update to %s was refused: it is not signed with this integration's password", version)
            raise Refused("the update is not signed with this integration's password, or was changed")
        return archive

    # --- its own thread

    def _update(self, releases: Releases, name: str, version: str, archive: bytes) -> None:
        try:
            self._install(releases, name, version, archive)
        except (EdgeError, OSError, ValueError) as error:  # the last of what is no UTF-8
            log.error("the update to %s failed: %s", version, error)
            shutil.rmtree(releases.folder(f"{name}.new"), ignore_errors=True)
            self._tell(releases, Outcome("failed", version, str(error)))
        else:
            log.info("%s is installed; it is started on trial", version)
            self._now = Outcome()
            self.restart_requested()
        finally:
            self._busy.release()

    def _tell(self, releases: Releases, outcome: Outcome) -> None:
        """Say what becomes of an update, after a power cut as well if that can be written."""
        try:
            releases.save(replace(releases.load(), last=outcome))
        except OSError as error:
            log.error("what becomes of an update cannot be kept: %s", error)
        self._now = outcome

    def _install(self, releases: Releases, name: str, version: str, archive: bytes) -> None:
        new, place = releases.folder(f"{name}.new"), releases.folder(name)
        for left in (new, place):
            shutil.rmtree(left, ignore_errors=True)
        unpacking.unpack(archive, new)
        package = new / unpacking.PACKAGE
        if f'\nVERSION = "{version}"\n' not in (package / "__init__.py").read_text("utf-8"):
            raise Refused(f"the archive is not that of {version}")
        wanted = self._requirements(package / "requirements")
        keeping.write(new / "requirements.txt", wanted.encode())
        environment = releases.environment(wanted)
        if environment is not None:
            environments.make(environment, wanted)
        new.rename(place)
        keeping.sync_folder(place.parent)
        releases.save(replace(releases.load(), trial=name, tried=False, last=Outcome(TRIAL, version)))

    def _requirements(self, folder: Path) -> str:
        """Return what the configured connectors need of a new release."""
        kinds = sorted({table.text("kind") for table in self._config.connectors.values()})
        found: set[str] = set()
        for kind in ("agent", *kinds):
            try:
                text = (folder / f"{kind}.txt").read_text("utf-8")
            except FileNotFoundError:
                raise Refused(f"that release has no connector of the kind {kind}") from None
            found |= environments.packages(text)
        return "".join(f"{line}\n" for line in sorted(found))
