"""Certificates of the running product: renewed by itself when it is time, and put on record."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from portal import certificate, clock, config
from portal.renewal import BEFORE_END
from protocols.opcua import certificate as opcua_certificate
from tests.support.processes import wait_until
from tests.support.stack import HOST, Stack

DUE = BEFORE_END - timedelta(days=1)  # before the end


def made_long_ago(stack: Stack) -> tuple[str, str]:
    """Let a product have certificates that are due; return their fingerprints, that for TLS first."""
    settings = config.load(stack.environ)
    certificate.prepare(settings, clock.now() - certificate.VALID + DUE)
    folder = Path(stack.environ["DATA_DIR"]) / "opcua"
    own = opcua_certificate.prepare(folder, ["localhost"], clock.now() - opcua_certificate.VALID + DUE)
    return certificate.read(settings).fingerprint, own.fingerprint


def recorded(stack: Stack) -> dict[str, str]:
    return dict(stack.query("SELECT protocol, detail FROM activity WHERE kind = 'certificate.renewed'"))


def served(stack: Stack) -> str:
    """Return the fingerprint of the certificate that a client meets at the TLS listener."""
    pem = ssl.get_server_certificate((HOST, stack.tls_port), timeout=20)
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex(":").upper()


def test_certificates_that_are_due_are_renewed_at_the_start_and_recorded(make_stack):
    stack = make_stack()
    tls, opcua = made_long_ago(stack)
    stack.start()
    found = wait_until(lambda: len(rows := recorded(stack)) == 2 and rows, what="both renewals on record")
    new_tls, new_opcua = certificate.read(config.load(stack.environ)).fingerprint, fingerprint_of_opcua(stack)
    assert found == {
        "mqtt": f"MQTT over TLS: {new_tls} in the place of {tls}",
        "opcua": f"OPC UA: {new_opcua} in the place of {opcua}",
    }
    assert {tls, opcua}.isdisjoint({new_tls, new_opcua})
    wait_until(lambda: served(stack) == new_tls, what="the new certificate at the listener")
    assert stack.clean_log().count("was renewed, with the same key") == 2
    stack.stop()
    stack.start()
    assert served(stack) == new_tls and fingerprint_of_opcua(stack) == new_opcua
    assert len(recorded(stack)) == 2, "once is enough"
    stack.stop()


def fingerprint_of_opcua(stack: Stack) -> str:
    path = Path(stack.environ["DATA_DIR"]) / "opcua" / opcua_certificate.CERTIFICATE
    return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()).hex(":").upper()
