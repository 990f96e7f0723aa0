"""The service of systemd that an installed Edge Connector is."""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
from pathlib import Path
from typing import Any

USER = "gatehouse-edge"
START = "start.sh"
UNITS = Path("/etc/systemd/system")
_PLAIN = re.compile(r"[A-Za-z0-9_./@+-]+")  # what needs no quoting in a unit
_UNIT = """\
[Unit]
Description=Edge Connector of Gatehouse ({label})
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={folder}/{start}
WorkingDirectory={folder}
User={user}
Group={user}
{groups}Restart=on-failure
RestartSec=5
RestartPreventExitStatus=78
KillMode=mixed
TimeoutStopSec=30
UMask=0077

# Its own folder is not to be changed, but for what it keeps; everything else by the rights of its user.
ReadOnlyPaths={folder}
ReadWritePaths={folder}/state {folder}/files
ProtectSystem=full
ProtectHome=read-only
PrivateTmp=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""


def is_possible() -> bool:
    """Tell whether this process may make services."""
    return os.geteuid() == 0 and Path("/run/systemd/system").is_dir()


def unit(folder: Path, label: str) -> str:
    """Return the unit's text.  Raises `ValueError` for a folder that cannot be written in one."""
    if not _PLAIN.fullmatch(str(folder)):
        raise ValueError("the folder of a service has letters, digits and _ . / @ + - only")
    has_ports = any(one.gr_name == "dialout" for one in grp.getgrall())
    groups = "SupplementaryGroups=dialout\n" if has_ports else ""  # serial ports
    return _UNIT.format(folder=folder, start=START, label=label, user=USER, groups=groups)


def is_of(folder: Path, label: str) -> bool:
    """Tell whether the service of this name, if there is one, runs what is in a folder."""
    path = UNITS / f"{label}.service"
    return not path.exists() or f"ExecStart={folder}/{START}\n" in path.read_text("utf-8")


def user() -> tuple[int, int]:
    """Return the user and group that services run as, which are made if they are not there."""
    try:
        found = pwd.getpwnam(USER)
    except KeyError:
        shell = "/usr/sbin/nologin"
        _run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", shell, USER)
        found = pwd.getpwnam(USER)
    return found.pw_uid, found.pw_gid


def may_run(program: Path, uid: int, gid: int) -> bool:
    """Tell whether a service's user can run a program: root's Python, or its folder, may be closed to others."""
    try:
        _run(str(program), "-c", "", user=uid, group=gid, extra_groups=[])
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def start(text: str, label: str) -> None:
    """Have systemd run it from now on."""
    path = UNITS / f"{label}.service"
    path.write_text(text, "utf-8")
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "--quiet", path.name)
    _run("systemctl", "restart", path.name)


def end(label: str) -> None:
    """Stop it for good, if it is there."""
    path = UNITS / f"{label}.service"
    if path.exists():
        _run("systemctl", "disable", "--quiet", "--now", path.name)
        path.unlink()
        _run("systemctl", "daemon-reload")


def _run(*command: str, **whose: Any) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **whose)  # noqa: S603 - programs of the system
