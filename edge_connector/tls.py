"""How the agent knows its server: by the SHA-256 of the certificate, or by authorities."""

from __future__ import annotations

import hashlib
import hmac
import ssl

from edge_connector.config import Server
from edge_connector.errors import ConfigFault


def context(server: Server) -> ssl.SSLContext:
    """Return a context that goes through with a handshake only with the right server."""
    try:
        found = ssl.create_default_context(cafile=server.ca or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigFault(f"server.ca cannot be read: {error}") from None
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    if server.fingerprint:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE  # the fingerprint says more than an authority would
        found.sslsocket_class = _pinned(server.fingerprint)
    return found


def _pinned(fingerprint: str) -> type[ssl.SSLSocket]:
    """Return sockets that end a handshake with another certificate: before anything, a password above all, is sent."""

    class Pinned(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            found = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
            if not hmac.compare_digest(found, fingerprint):
                self.close()  # paho does not
                raise ssl.SSLCertVerificationError(
                    f"the server's certificate has the fingerprint {found}, not {fingerprint}"
                )

    return Pinned
