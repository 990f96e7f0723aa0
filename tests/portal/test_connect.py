"""The lines that a person copies: what they name, and that no character of a credential breaks them."""

from __future__ import annotations

import ast
import json
import shlex

import pytest

from edge_connector import config as edge_config
from portal import config, connect, connect_edge, connect_opcua, connect_vrpc, listeners
from portal.connect import Login, Trust
from portal.listeners import Listener

OWN = Trust(signs_itself=False, names=(), fingerprint="AB:CD")
SELF = Trust(signs_itself=True, names=("broker.example.com",), fingerprint="AB:CD")
NASTY = Login("it's $HOME/`x`", 'pass "word" \\ \N{SNOWMAN}')


def ways(tmp_path, host: str = "broker.example.com", port: int = 8000, *, secure: bool = False, **environ: str):
    settings = config.load({"DATA_DIR": str(tmp_path), **environ})
    found = listeners.of(settings, host, port, web_is_secure=secure)
    return {listener.transport if listener.protocol == "mqtt" else listener.protocol: listener for listener in found}


def test_each_listener_has_its_address(tmp_path):
    assert [found.url for found in ways(tmp_path).values()] == [
        "http://broker.example.com:8000/api/v1",
        "mqtt://broker.example.com:1883",
        "mqtts://broker.example.com:8883",
        "ws://broker.example.com:8083/mqtt",
        "wss://broker.example.com:8084/mqtt",
        "ws://broker.example.com:8000/mqtt",
        "opc.tcp://broker.example.com:4840",
    ]


def test_behind_a_proxy_with_tls_the_portal_has_the_usual_port(tmp_path):
    assert ways(tmp_path, port=443, secure=True)["web"].url == "wss://broker.example.com/mqtt"
    assert ways(tmp_path, port=443, secure=True)["http"].url == "https://broker.example.com/api/v1"
    assert ways(tmp_path, host="2001:db8::1")["tcp"].url == "mqtt://[2001:db8::1]:1883"


def test_what_is_off_is_not_offered(tmp_path):
    assert list(ways(tmp_path, MQTT_PORT="off", MQTT_WSS_PORT="off", MQTT_WEB="off", OPCUA_PORT="off")) == [
        "http",
        "tls",
        "ws",
    ]


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_shell_takes_the_line_apart_as_it_is_meant(tmp_path, transport):
    listener = ways(tmp_path)[transport]
    subscribe, publish = connect.lines(listener, SELF, NASTY)
    words = shlex.split(subscribe.text)
    assert words[:5] == ["mosquitto_sub", "-h", listener.host, "-p", str(listener.port)]
    assert words[words.index("-u") + 1] == NASTY.username
    assert words[words.index("-P") + 1] == NASTY.password
    assert shlex.split(publish.text)[0] == "mosquitto_pub"


def test_a_line_says_how_the_certificate_is_checked(tmp_path):
    listener = ways(tmp_path)["tls"]
    by_address = Listener("mqtt", "tls", "192.0.2.9", 8883, "mqtts")
    assert " --cafile gatehouse.pem -u" in connect.lines(listener, SELF, NASTY)[0].text
    assert " --cafile gatehouse.pem --insecure -u" in connect.lines(by_address, SELF, NASTY)[0].text
    assert " --tls-use-os-certs -u" in connect.lines(listener, OWN, NASTY)[0].text
    assert "cafile" not in connect.lines(ways(tmp_path)["tcp"], SELF, NASTY)[0].text


@pytest.mark.parametrize("transport", ["ws", "wss", "web"])
def test_a_script_takes_the_line_apart_as_it_is_meant(tmp_path, transport):
    listener = ways(tmp_path)[transport]
    script, terminal = connect.lines(listener, SELF, NASTY)
    assert script.text.startswith(f'mqtt.connect("{listener.url}", {{ username: ')
    assert json.dumps(NASTY.password, ensure_ascii=False) in script.text
    words = shlex.split(terminal.text)
    assert words[words.index("-l") + 1] == ("wss" if transport == "wss" else "ws")
    assert words[words.index("-P") + 1] == NASTY.password
    assert ("--ca" in words) == (transport == "wss")


def test_without_a_password_dots_stand_in_its_place(tmp_path):
    for listener in ways(tmp_path, OPCUA_PORT="off").values():
        for line in connect.lines(listener, SELF, Login("turing", None)):
            assert connect.DOTS in line.text


def test_lines_have_names_of_their_own(tmp_path):
    names = [
        line.name for found in ways(tmp_path, OPCUA_PORT="off").values() for line in connect.lines(found, None, NASTY)
    ]
    assert len(set(names)) == len(names) == 14


def test_curl_gets_the_credentials_and_addresses_as_they_are_meant(tmp_path):
    listener = ways(tmp_path)["http"]
    lines = [shlex.split(line.text) for line in connect.lines(listener, SELF, NASTY)]
    for words in lines:
        assert words[0] == "curl" and words[words.index("-u") + 1] == f"{NASTY.username}:{NASTY.password}"
    assert [words[-1].removeprefix(listener.url) for words in lines] == [
        "/me",
        "/values/demo/hello",
        "/values/demo/hello",
        "/messages",
    ]


# --- OPC UA


def guides(tmp_path, login: Login, *, allows_none: bool = True):
    found = connect_opcua.guides(ways(tmp_path)["opcua"], login, allows_none=allows_none)
    return {guide.name: guide for guide in found}


def test_a_script_of_an_opcua_client_names_the_endpoint_and_its_own_node(tmp_path):
    for line in guides(tmp_path, Login("plant/50%", 'pass "word" \\'))["python"].lines:
        tree = ast.parse(line.text)
        texts = {found.value for found in ast.walk(tree) if isinstance(found, ast.Constant)}
        assert {"opc.tcp://broker.example.com:4840", "plant/50%", 'pass "word" \\'} <= texts
        assert "ns=2;s=plant%2F50%25/demo" in texts


def test_no_character_of_a_credential_breaks_a_script(tmp_path):
    for line in guides(tmp_path, NASTY)["python"].lines:
        texts = {found.value for found in ast.walk(ast.parse(line.text)) if isinstance(found, ast.Constant)}
        assert {NASTY.username, NASTY.password} <= texts


def test_without_policy_none_there_is_no_script_for_it(tmp_path):
    names = [line.name for line in guides(tmp_path, NASTY, allows_none=False)["python"].lines]
    assert names == ["opcua-secured"]
    assert len(guides(tmp_path, NASTY)["python"].lines) == 2


def test_other_opcua_clients_are_told_in_words_and_without_the_password(tmp_path):
    found = guides(tmp_path, NASTY)
    for name in ("uaexpert", "ignition", "node-red"):
        text = " ".join(found[name].steps)
        assert "Basic256Sha256" in text and NASTY.password not in text
    assert connect.DOTS in guides(tmp_path, Login("turing", None))["python"].lines[0].text


# --- VRPC


def vrpc(listener: Listener, role: str = "both", login: Login = NASTY, trust: Trust | None = SELF):
    return {line.name: line for line in connect_vrpc.lines(listener, trust, login, 'ac"me', role)}


def test_the_scripts_of_vrpc_are_those_of_the_role_and_of_what_the_packages_speak(tmp_path):
    found = ways(tmp_path)
    assert set(vrpc(found["tcp"])) == {
        f"tcp-{one}" for one in ("python-agent", "python-client", "node-agent", "node-client")
    }
    assert set(vrpc(found["tls"], "agent")) == {"tls-python-agent", "tls-node-agent"}
    assert set(vrpc(found["wss"])) == {"wss-node-agent", "wss-node-client"}, "Python's package speaks no WebSocket"
    assert set(vrpc(found["web"], "client")) == {"web-node-client"}


def test_no_character_of_a_credential_or_a_domain_breaks_a_script_of_vrpc(tmp_path):
    for role in ("agent", "client"):
        (line,) = [one for name, one in vrpc(ways(tmp_path)["tcp"], role).items() if "python" in name]
        stated = {
            word.arg: ast.literal_eval(word.value)
            for node in ast.walk(ast.parse(line.text))
            if isinstance(node, ast.Call)
            for word in node.keywords
        }
        assert (stated["username"], stated["password"]) == (NASTY.username, NASTY.password)
        assert (stated["domain"], stated["broker"]) == ('ac"me', "mqtt://broker.example.com:1883")
    assert connect.DOTS in vrpc(ways(tmp_path)["tcp"], login=Login("turing", None))["tcp-node-agent"].text


def test_what_a_certificate_that_signs_itself_asks_for_is_said(tmp_path):
    found = vrpc(ways(tmp_path)["tls"])
    assert "SSL_CERT_FILE=gatehouse.pem" in found["tls-python-agent"].title
    assert "does not check" in found["tls-node-client"].title
    assert all(";" not in line.title for line in vrpc(ways(tmp_path)["tls"], trust=OWN).values())


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss", "web"])
def test_the_configuration_of_an_edge_connector_is_one_that_it_reads(tmp_path, transport):
    listener = ways(tmp_path)[transport]
    login = Login("press@hall.1", "secret")
    (line,) = connect_edge.lines(listener, SELF, login, 'acme "x".default')
    (tmp_path / "edge.toml").write_text(line.text.replace("AB:CD", "AB:" * 31 + "AB"))
    found = edge_config.load(tmp_path / "edge.toml")
    server = found.server
    assert (server.host, server.port, server.path) == (listener.host, listener.port, "/mqtt")
    assert (server.username, server.password) == (login.username, login.password)
    assert server.transport == ("ws" if transport == "web" else transport)
    assert bool(server.fingerprint) is (transport in {"tls", "wss"})
    assert (found.domain, found.name) == ('acme "x".default', "press@hall.1")
