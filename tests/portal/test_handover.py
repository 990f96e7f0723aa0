"""What a web worker gives away, to whom, and with which address."""

from __future__ import annotations

import socket

import pytest

from portal import config, handover, unix
from portal.handover import Away, Courier
from tests.support.websocket import handshake


def courier(folder, **environ: str) -> Courier:
    return Courier(config.load({"DATA_DIR": str(folder), **environ}))


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (handshake(), True),
        (handshake("/mqtt?a=b"), True),
        (handshake(Upgrade="WebSocket"), True),
        (handshake(Upgrade="h2c, websocket"), True),
        (handshake(Upgrade=None), False),
        (handshake(Upgrade="h2c"), False),
        (handshake("/mqtt/x"), False),
        (handshake("/mqttx"), False),
        (handshake("/"), False),
        (handshake().replace(b"GET", b"POST"), False),
        (b"GET /mqtt HTTP/1.1\r\nX-Upgrade: websocket\r\n\r\n", False),
        (b"GET /mqtt HTTP/1.1\r\n\r\nUpgrade: websocket", False),
        (handshake(Cookie="x" * handover.MOST), False),
    ],
)
def test_only_a_websocket_for_mqtt_is_given_away(tmp_path, request_, wanted):
    assert courier(tmp_path).wants(request_) is wanted
    assert not courier(tmp_path, MQTT_WEB="off").wants(request_)


@pytest.mark.parametrize(
    ("proxies", "headers", "address"),
    [
        ("0", {"X_Forwarded_For": "203.0.113.9"}, "192.0.2.1"),
        ("1", {}, "192.0.2.1"),
        ("1", {"X_Forwarded_For": "203.0.113.9"}, "203.0.113.9"),
        ("1", {"x_forwarded_for": "198.51.100.1, 203.0.113.9"}, "203.0.113.9"),
        ("2", {"X_Forwarded_For": "198.51.100.1, 203.0.113.9, 203.0.113.10"}, "203.0.113.9"),
        ("2", {"X_Forwarded_For": "203.0.113.9"}, "192.0.2.1"),
        ("1", {"X_Forwarded_For": "[2001:db8::1]"}, "2001:db8::1"),
        ("1", {"X_Forwarded_For": "\x1b[31m"}, "192.0.2.1"),
        ("1", {"X_Forwarded_For": "\u00b2"}, "192.0.2.1"),
    ],
)
def test_the_address_is_the_one_that_trusted_proxies_tell(tmp_path, proxies, headers, address):
    listener = handover.listen(tmp_path)
    request = handshake(**headers)
    ours, theirs = socket.socketpair()
    with listener, ours, theirs:
        courier(tmp_path, TRUSTED_PROXIES=proxies).hand_over(theirs, "192.0.2.1", request)
        taken, _ = listener.accept()
        with taken:
            message, (descriptor,), _, _ = socket.recv_fds(taken, 100_000, 4)
        assert message == address.encode() + b"\n" + request
        with socket.socket(fileno=descriptor) as given:
            given.sendall(b"hello")
        assert ours.recv(5) == b"hello"


def test_nobody_there_is_told(tmp_path):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(Away):
            courier(tmp_path).hand_over(theirs, "192.0.2.1", handshake())
        handover.listen(tmp_path).close()
        with pytest.raises(Away):
            courier(tmp_path).hand_over(theirs, "192.0.2.1", handshake())


def test_a_folder_with_a_long_name_will_do(tmp_path):
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    ours, theirs = socket.socketpair()
    with handover.listen(folder), ours, theirs:
        courier(folder).hand_over(theirs, "192.0.2.1", handshake())


def test_the_socket_is_for_its_owner_alone_and_replaces_one_left_behind(tmp_path):
    handover.listen(tmp_path).close()
    with handover.listen(tmp_path):
        assert (tmp_path / handover.NAME).stat().st_mode & 0o777 == 0o600


def test_a_full_line_is_away_and_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(unix, "BACKLOG", 2)
    ours, theirs = socket.socketpair()
    with handover.listen(tmp_path), ours, theirs, pytest.raises(Away):
        for _ in range(20):
            courier(tmp_path).hand_over(theirs, "192.0.2.1", handshake())
