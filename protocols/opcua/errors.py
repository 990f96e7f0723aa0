"""What can be wrong with a client.

OpcUaError
├── FrameError      what arrived is not OPC UA, or too large: an ERR message, and the connection closes
└── Refused         a login that is not accepted: a ServiceFault, and the connection closes
    └── WrongLogin  for its credentials: activity tells of it, the log does not
"""

from __future__ import annotations

from asyncua import ua


class OpcUaError(Exception):
    """Something that ends a connection; `code` is a StatusCode, the text a fact for the log.

    `limit` is the name in `Limits` of what was exceeded, if that was it.
    """

    def __init__(self, code: int, fact: str, limit: str = "") -> None:
        super().__init__(fact)
        self.code = code
        self.limit = limit


class FrameError(OpcUaError):
    """Bytes that break the protocol."""


class Refused(OpcUaError):
    """A login that is not accepted."""


class WrongLogin(Refused):
    """Credentials that `authenticate` refuses."""


def name(code: int) -> str:
    """Return the name of a StatusCode."""
    return str(ua.status_codes.get_name_and_doc(code)[0])


def fault(handle: int, code: int) -> ua.ServiceFault:
    """Return the answer that refuses a request."""
    made = ua.ServiceFault()
    made.ResponseHeader.RequestHandle = handle
    made.ResponseHeader.ServiceResult = ua.StatusCode(code)
    return made
