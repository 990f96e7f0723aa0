"""A stand-in for the OPC UA server, as pages ask it."""

from __future__ import annotations

from portal.worker_client import OPCUA, Refused, Silent

FINGERPRINT = "ab" * 32
OWN = {
    "application_uri": "urn:gatehouse:bd022a11",
    "fingerprint": "26:3F:92",
    "thumbprint": "4A4BC136",
    "not_after": "2031-11-24T10:00:00+00:00",
    "pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


def certificate(fingerprint: str = FINGERPRINT, *, trusted: bool = False, **more: object) -> dict[str, object]:
    """Return a client's certificate as the server tells of it."""
    return {
        "fingerprint": fingerprint,
        "trusted": trusted,
        "subject": "CN=SCADA <1>",
        "application_uri": "urn:example:scada",
        "not_before": "2026-01-01T00:00:00+00:00",
        "not_after": "2126-01-01T00:00:00+00:00",
        "first_seen": "2026-10-01T00:00:00+00:00",
        "last_seen": "2026-11-01T00:00:00+00:00",
        "address": "192.0.2.9",
    } | more


def value(name: str, value: str = "21.5", data_type: str = "Double", status: str = "Good") -> dict[str, object]:
    """Return a node as the server tells of it."""
    node_id, time = f"ns=2;s=plant%2Fpress/{name}", "2026-11-25T12:00:00.000Z"
    told = {"name": name, "node_id": node_id, "data_type": data_type, "value": value}
    return told | {"status": status, "source_time": time, "writes": 7}


class OpcUaServer:
    """Answers from what it holds; `silent` as one that is not there."""

    def __init__(self) -> None:
        self.silent = False
        self.values = [value("line1/speed"), value("line1/alarm", "false", "Boolean", "BadSensorFailure")]
        self.clients = [certificate()]
        self.own: dict[str, object] = {}  # what differs from OWN
        self.figures: list[dict[str, object]] = []
        self.done: list[tuple[object, ...]] = []
        self.refusal, self.refused_field = "", ""

    def have(self, part: str, action: str, *arguments: object, timeout: float = 1.0) -> object:
        if self.silent or part != OPCUA:
            raise Silent
        return getattr(self, action)(*arguments)

    def nodes(self, integration_id: int, prefix: str, limit: int, cursor: str | None) -> dict[str, object]:
        found = sorted((row for row in self.values if row["name"].startswith(prefix)), key=lambda row: row["name"])
        rest = [row for row in found if cursor is None or row["name"] > cursor]
        more = rest[limit - 1]["name"] if len(rest) > limit else None
        return {"nodes": rest[:limit], "cursor": more, "total": len(self.values)}

    def certificate(self) -> dict[str, object]:
        return OWN | self.own

    def renew_certificate(self) -> dict[str, object]:
        before, self.own = self.certificate()["fingerprint"], {"fingerprint": "AA:BB:CC"}
        return {"before": before, "after": "AA:BB:CC"}

    def client_certificates(self) -> list[dict[str, object]]:
        return self.clients

    def connections(self, integration_id: int, ids: list[str]) -> list[dict[str, object]]:
        return [row for row in self.figures if row["connection_id"] in ids]

    def usage(self) -> list[dict[str, object]]:
        return [{"name": "OPCUA_MAX_CONNECTIONS", "used": 2, "limit": 5000, "exceeded": 0}]

    def __getattr__(self, action: str):
        def act(*arguments: object) -> None:
            if self.refusal:
                raise Refused(self.refusal, self.refused_field)
            self.done.append((action, *arguments))

        return act
