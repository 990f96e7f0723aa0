"""What pages ask of certificates: the server's own, and those of clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding

from protocols.contract import Refused
from protocols.opcua.certificate import CertificateError, ServerCertificate
from protocols.opcua.trust import ClientCertificate, TrustFolder

GONE = "This certificate is not there any more."


def actions(
    trust: TrustFolder, own: Callable[[], ServerCertificate], renew: Callable[[], None]
) -> Mapping[str, Callable[..., object]]:
    """Return the actions by name; see `protocols.contract.Server.actions`."""

    def certificate() -> dict[str, object]:
        return describe_own(own())

    def renew_certificate() -> dict[str, object]:
        before = own().fingerprint
        try:
            renew()
        except CertificateError as error:
            raise Refused(f"The new certificate cannot be kept: {error}.") from None
        return {"before": before, "after": own().fingerprint}

    def clients() -> list[dict[str, object]]:
        return [describe(one) for one in trust.all()]

    def checked(act: Callable[[str], bool]) -> Callable[[str], None]:
        def run(name: str) -> None:
            if not act(name):
                raise Refused(GONE)

        return run

    return {
        "certificate": certificate,
        "renew_certificate": renew_certificate,
        "client_certificates": clients,
        "trust": checked(trust.trust),
        "distrust": checked(trust.distrust),
        "delete_certificate": checked(trust.delete),
    }


def describe_own(own: ServerCertificate) -> dict[str, object]:
    """Return what a person needs to know of the server's certificate."""
    return {
        "application_uri": own.application_uri,
        "fingerprint": own.fingerprint,
        "thumbprint": own.thumbprint,
        "not_after": _text(own.not_after),
        "pem": own.certificate.public_bytes(Encoding.PEM).decode("ascii"),
    }


def describe(one: ClientCertificate) -> dict[str, object]:
    """Return what a person needs to know of a client's certificate."""
    return {
        "fingerprint": one.fingerprint,
        "trusted": one.trusted,
        "subject": one.subject,
        "application_uri": one.application_uri,
        "not_before": _text(one.not_before),
        "not_after": _text(one.not_after),
        "first_seen": _text(one.first_seen),
        "last_seen": _text(one.last_seen),
        "address": one.address,
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
