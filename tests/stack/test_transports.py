"""TLS, WebSocket, and WebSocket through the portal's own port, with the whole product and foreign clients."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from http.client import HTTPConnection

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.portal.test_certificate import openssl
from tests.stack.test_operation import failed_start
from tests.support import clients, npm, processes
from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack
from tests.support.websocket import WebSocket, handshake

pytestmark = pytest.mark.stack

TRANSPORTS = ["tcp", "tls", "ws", "wss", "web"]


def pem(stack: Stack) -> str:
    return str(stack.folder / "data" / "tls.pem")


def url(stack: Stack, transport: str) -> str:
    ports = {"tcp": stack.mqtt_port, "tls": stack.tls_port, "ws": stack.ws_port, "wss": stack.wss_port}
    scheme = {"tcp": "mqtt", "tls": "mqtts", "web": "ws"}.get(transport, transport)
    path = "" if transport in {"tcp", "tls"} else "/mqtt"
    return f"{scheme}://localhost:{ports.get(transport, stack.port)}{path}"


def below(stack: Stack, transport: str = "web") -> WebSocket:
    """Return a WebSocket that was let in."""
    port = {"ws": stack.ws_port, "web": stack.port}[transport]
    return WebSocket(socket.create_connection((HOST, port), timeout=20))


def logged_in(stack: Stack, integration: dict, client_id: str = "c", transport: str = "web") -> WebSocket:
    """Return a WebSocket over which a client has logged in."""
    client = below(stack, transport)
    client.sendall(clients.connect_packet(client_id, integration["username"], integration["password"]))
    assert client.recv(100) == b"\x20\x02\x00\x00"
    return client


def is_closed(client: WebSocket, seconds: float) -> bool:
    client.settimeout(seconds)
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


# --- foreign clients


@pytest.mark.parametrize("version", ["4", "5"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_mqtt_js_in_node_sends_and_receives_everything(stack, transport, version):
    turing = stack.add()
    environ = {"USERNAME": turing["username"], "PASSWORD": turing["password"], "CA": pem(stack)}
    assert npm.node("roundtrip.mjs", url(stack, transport), version, **environ) == {"got": 24, "missing": []}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_paho_sends_and_receives(stack, transport):
    turing = stack.add()
    kind = "tcp" if transport in {"tcp", "tls"} else "websockets"
    client = paho.Client(CallbackAPIVersion.VERSION2, "paho", transport=kind)
    client.username_pw_set(turing["username"], turing["password"])
    if transport in {"tls", "wss"}:
        client.tls_set(ca_certs=pem(stack))
    got = []
    subscribed = threading.Event()
    client.on_connect = lambda *_: client.subscribe("paho/#", 1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _, __, message: got.append(message.payload)
    client.connect("localhost", int(url(stack, transport).split(":")[2].partition("/")[0]))
    client.loop_start()
    try:
        assert subscribed.wait(20)
        for number in range(200):
            client.publish("paho/x", b"%d" % number * 100, 1)
        wait_until(lambda: len(got) == 200)
        assert got == [b"%d" % number * 100 for number in range(200)]
    finally:
        client.disconnect()
        client.loop_stop()


def test_mosquitto_checks_the_certificate_that_was_made(stack):
    turing = stack.add()
    command = ["mosquitto_pub", "-h", "localhost", "-p", str(stack.tls_port), "-t", "a", "-m", "x", "-q", "1"]
    login = ["-u", turing["username"], "-P", turing["password"]]
    done = subprocess.run([*command, *login, "--cafile", pem(stack)], capture_output=True, text=True, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([*command, *login, "--tls-use-os-certs"], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0


def test_the_lines_of_the_panel_work(stack, tmp_path):
    turing = stack.add()
    session = Session(stack).log_in()
    (tmp_path / "gatehouse.pem").write_text(session.get("/server/certificate.pem").text)
    (found,) = [row for row in stack.query("SELECT id, username FROM integration") if row[1] == turing["username"]]
    copied = json.loads(session.post(f"/integrations/{found[0]}/reveal", {"Accept": "application/json"}).text)
    for name in ("tcp-publish", "tls-publish"):
        done = subprocess.run(["bash", "-c", copied[name]], cwd=tmp_path, capture_output=True, text=True, timeout=10)
        assert (done.returncode, done.stderr) == (0, ""), copied[name]
    for name in ("ws-subscribe", "wss-subscribe", "web-subscribe"):
        program = npm.FOLDER / "node_modules" / ".bin" / "mqtt"
        line = copied[name].replace("npx mqtt", str(program))
        done = subprocess.run(
            ["timeout", "2", "bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=10
        )
        assert done.returncode == 124, (line, done)  # it listens until it is stopped
        assert done.stderr == ""


# --- the portal's own port


def test_a_plain_visit_and_another_path_are_answered_by_the_portal(stack):
    session = Session(stack)
    assert session.get("/mqtt").status == 426
    with socket.create_connection((HOST, stack.port), timeout=20) as client:
        client.sendall(handshake("/integrations"))
        assert client.recv(100).startswith(b"HTTP/1.1 405 ")


def test_a_bad_handshake_is_answered_by_the_broker(stack):
    with socket.create_connection((HOST, stack.port), timeout=20) as client:
        client.sendall(handshake(protocol="chat"))
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_handshake_byte_by_byte_after_another_request_is_taken_over(stack):
    turing = stack.add()
    with socket.create_connection((HOST, stack.port), timeout=20) as client:
        client.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not client.recv(65_536).endswith(b"</html>"):
            pass
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        class Slow:
            def sendall(self, data: bytes) -> None:
                for byte in data:
                    client.sendall(bytes((byte,)))

            recv = client.recv

        carried = WebSocket(Slow())
        carried.sendall(clients.connect_packet("c", turing["username"], turing["password"]))
        assert carried.recv(100) == b"\x20\x02\x00\x00"


@pytest.mark.parametrize("transport", ["ws", "web"])
def test_a_deactivated_client_is_cut_off(stack, transport):
    turing = stack.add()
    client = logged_in(stack, turing, transport=transport)
    wait_until(lambda: stack.is_online(turing["username"]))
    stack.flask("integrations", "deactivate", turing["username"])
    assert is_closed(client, 20)
    wait_until(lambda: not stack.is_online(turing["username"]))
    client.close()


def test_the_address_is_what_trusted_proxies_tell(make_stack):
    stack = make_stack(TRUSTED_PROXIES="1").start()
    turing = stack.add()
    client = socket.create_connection((HOST, stack.port), timeout=20)
    carried = WebSocket(client, X_Forwarded_For="198.51.100.7, 203.0.113.9")
    carried.sendall(clients.connect_packet("c", turing["username"], turing["password"]))
    assert carried.recv(100) == b"\x20\x02\x00\x00"
    wait_until(lambda: stack.query("SELECT address, transport FROM connection") == [("203.0.113.9", "web")])
    client.close()
    stack.stop()


def test_without_the_protocols_worker_clients_are_told_to_come_back(make_stack):
    stack = make_stack(WEB_CONCURRENCY="2").start()
    turing = stack.add()
    held = [logged_in(stack, turing, f"c{number}") for number in range(10)]
    worker = stack.worker_pid()
    os.kill(worker, signal.SIGSTOP)  # it neither answers nor ends: what is handed over waits in a bounded line
    waiting = [socket.create_connection((HOST, stack.port), timeout=20) for _ in range(20)]
    for client in waiting:
        client.sendall(handshake())
    assert Session(stack).get("/login").status == 200
    os.kill(worker, signal.SIGKILL)
    assert all(is_closed(client, 20) for client in held)

    wait_until(lambda: _answer(stack).startswith(b"HTTP/1.1 101 "))
    for number in range(20):
        logged_in(stack, turing, f"again{number}").close()
    for client in [*held, *waiting]:
        client.close()
    (stack.folder / "data" / "web.sock").unlink()
    away = _answer(stack)
    assert away.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 3\r\n" in away
    stack.stop()


def _answer(stack: Stack) -> bytes:
    """Return the answer to a handshake at the portal; nothing from a worker that is just ending."""
    with socket.create_connection((HOST, stack.port), timeout=20) as client:
        client.sendall(handshake())
        try:
            return client.recv(1000)
        except ConnectionResetError:
            return b""


def test_the_web_workers_forget_what_they_gave_away(make_stack):
    stack = make_stack().start()
    turing = stack.add()
    held = [logged_in(stack, turing, f"c{number}") for number in range(100)]
    assert stack.process is not None
    (web,) = [pid for pid in processes.children(stack.process.pid) if not processes.children(pid)]
    sockets = [os.readlink(f"/proc/{web}/fd/{name}") for name in os.listdir(f"/proc/{web}/fd")]
    assert sum(name.startswith("socket:") for name in sockets) < 20
    connection = HTTPConnection(HOST, stack.port, timeout=20)
    connection.request("GET", "/login")
    assert connection.getresponse().status == 200
    connection.close()
    for client in held:
        client.close()
    stack.stop()
    stack.clean_log()


def test_the_way_through_the_portal_can_be_turned_off(make_stack):
    stack = make_stack(MQTT_WEB="off").start()
    with socket.create_connection((HOST, stack.port), timeout=20) as client:
        client.sendall(handshake())
        assert client.recv(100).startswith(b"HTTP/1.1 4")
    stack.stop()


def test_the_way_through_the_portal_is_there_when_every_listener_is_off(make_stack):
    off = dict.fromkeys(("MQTT_PORT", "MQTT_TLS_PORT", "MQTT_WS_PORT", "MQTT_WSS_PORT"), "off")
    stack = make_stack(**off).start()
    logged_in(stack, stack.add()).close()
    assert not (stack.folder / "data" / "tls.pem").exists()
    stack.stop()
    stack.clean_log()


# --- starting, and the certificate


@pytest.mark.parametrize("setting", ["MQTT_TLS_PORT", "MQTT_WS_PORT", "MQTT_WSS_PORT"])
def test_a_port_in_use_is_named(make_stack, setting):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        line = failed_start(make_stack(**{setting: str(port)}))
    expected = f"{setting}: cannot listen on {HOST} port {port}: Address already in use; 'off' turns this listener off"
    assert line == f"gatehouse: {expected}"


def test_a_certificate_that_cannot_be_used_stops_the_start(make_stack, tmp_path):
    chain, _ = openssl(tmp_path, "one")
    _, key = openssl(tmp_path, "two")
    line = failed_start(make_stack(TLS_CERTIFICATE=chain, TLS_KEY=key))
    assert line == f"gatehouse: TLS_KEY: {key} does not belong to the certificate {chain}"


def served(stack: Stack) -> str:
    return ssl.get_server_certificate((HOST, stack.tls_port), timeout=20).strip()


def test_a_renewed_certificate_is_used_without_a_restart(make_stack, tmp_path):
    chain, key = openssl(tmp_path, "plant")
    fresh_chain, fresh_key = openssl(tmp_path, "fresh")
    stack = make_stack(TLS_CERTIFICATE=chain, TLS_KEY=key).start()
    turing = stack.add()
    with open(chain) as file:
        assert served(stack) == file.read().strip()
    trusting = ssl.create_default_context(cafile=chain)
    trusting.check_hostname = False
    with socket.create_connection((HOST, stack.tls_port), timeout=20) as raw, trusting.wrap_socket(raw) as stays:
        stays.sendall(clients.connect_packet("stays", turing["username"], turing["password"]))
        assert clients.receive(stays, 4) == b"\x20\x02\x00\x00"
        with open(fresh_chain) as file:
            wanted = file.read().strip()
        shutil.move(fresh_chain, chain)
        shutil.move(fresh_key, key)
        wait_until(lambda: served(stack) == wanted, what="the renewed certificate")
        stays.sendall(b"\xc0\x00")
        assert clients.receive(stays, 2) == b"\xd0\x00"
        with open(chain, "w") as file:
            file.write("broken")
        wait_until(lambda: "the changed certificate cannot be used" in stack.log())
        assert served(stack) == wanted
        time.sleep(2.5)
        assert stack.log().count("cannot be used") == 1
    stack.stop()


def test_slow_handshakes_are_cut_and_disturb_nobody(make_stack):
    """At the portal's port they disturb nobody either; when they are cut there, `test_slow_http.py` shows."""
    stack = make_stack(MQTT_CONNECT_TIMEOUT="2").start()
    turing = stack.add()
    slow = [socket.create_connection((HOST, port)) for port in (stack.tls_port, stack.ws_port, stack.wss_port) * 20]
    unfinished = [socket.create_connection((HOST, stack.port)) for _ in range(20)]
    for client in unfinished:
        client.sendall(handshake()[:-5])
    logged_in(stack, turing).close()
    for client in slow:
        client.settimeout(30)
        assert client.recv(10) == b""
    for client in (*slow, *unfinished):
        client.close()
    stack.stop()
    stack.clean_log()
