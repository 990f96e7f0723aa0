"""What goes wrong, in words for those who are told.

EdgeError
├── ConfigFault        the configuration file cannot be used
├── Malformed          a message is no VRPC request
├── Refused            a call cannot be done; its text goes to the caller
│   ├── Busy           too many calls are under way
│   └── TimedOut       it took too long
├── FeedsFault         the file of feeds cannot be read (`feeds.py`)
├── OutboxFault        the buffer cannot be written or read (`outbox.py`)
│   └── InUse          another agent has it
├── Unsendable         a message is none that the server takes (`sender.py`)
├── EnvironmentFault   packages cannot be installed (`environments.py`)
├── InstallFault       it cannot be installed (`install.py`)
└── Locked             another process has a lock (`keeping.py`)
"""

from __future__ import annotations


class EdgeError(Exception):
    """Whatever this package raises."""


class ConfigFault(EdgeError):
    """The configuration cannot be used; says where and why."""


class Malformed(EdgeError):
    """A message is no request that could be answered."""


class Refused(EdgeError):
    """A call cannot be done; says why to whoever called."""


class Busy(Refused):
    """Too many calls are under way."""


class TimedOut(Refused):
    """A call took too long."""
