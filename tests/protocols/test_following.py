"""What the protocols worker does with what is changed in the portal, and what it answers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import replace

import msgpack
import pytest

from portal import clock, db, integrations, presence, switches, traffic, unix, worker_client
from portal.models import Activity, Connection, Integration, Node, Traffic
from protocols import contract, entrance, parts, process, runtime
from protocols.contract import ConnectionInfo, Grant, Login, Usage
from protocols.runtime import Runtime
from tests.support.processes import wait_until


class Noting:
    """A server without clients of its own: it notes what it is told."""

    def __init__(self, tools: parts.Tools) -> None:
        self.authenticate, self.presence, self.tools = tools.authenticate, tools.presence, tools
        self.switched: list[dict[str, bool]] = []
        self.cut: list[tuple] = []
        self.kicked: list[tuple] = []
        self.permitted: list[dict[int, Grant]] = []
        self.counted: dict[int, contract.Traffic] = {}
        self.known: list[ConnectionInfo] = []
        self.delay = 0.0

    async def start(self, listeners, grants) -> None:
        self.sockets = [one for listening in listeners.values() for one in listening]

    def disconnect(self, integration_ids, reason, *, forget) -> None:
        self.cut.append((list(integration_ids), reason, forget))

    def kick(self, connection_ids, reason) -> None:
        self.kicked.append((sorted(connection_ids), reason))
        for connection_id in connection_ids:
            self.presence.disconnected(connection_id, reason)

    def permit(self, grants) -> None:
        self.permitted.append(dict(grants))

    def connections(self, integration_id) -> list[ConnectionInfo]:
        time.sleep(self.delay)
        return self.known

    def traffic(self) -> dict[int, contract.Traffic]:
        counted, self.counted = self.counted, {}
        return counted

    def usage(self) -> list[Usage]:
        return [Usage("MQTT_MAX_CONNECTIONS", 2, 10_000, 1)]

    def switch(self, switches) -> None:
        self.switched.append(dict(switches))

    def actions(self) -> dict:
        return {"double": lambda number: number * 2, "thread": lambda: threading.current_thread().name}

    def link_actions(self) -> dict:
        return {"follow": lambda link, name: link.push(name, 1, 2)}

    async def stop(self) -> None:
        for one in self.sockets:
            one.close()

    def log_in(self, client_id: str = "client-1") -> str:
        """Have a client come in; return its connection's id."""
        login = Login("mqtt", "turing", b"secret", client_id, "192.0.2.1", "5.0", "tls")
        return self.presence.connected(self.authenticate(login), login)


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret")


@pytest.fixture
def start(database, turing, monkeypatch):
    """Start a runtime with a noting server in the place of the broker."""
    monkeypatch.setattr(process, "collect_rarely", lambda: None)
    monkeypatch.setattr(process, "give_back_what_is_free", lambda: None)
    monkeypatch.setattr(parts, "MAKERS", {"mqtt": Noting})

    def start(*, with_listener: bool = True, **settings) -> Runtime:
        db.database.close_all()  # the runtime makes a pool of its own
        alone = {"mqtt_web": False, "mqtt_tls_port": None, "mqtt_wss_port": None}
        listeners = {"mqtt": socket.create_server(("127.0.0.1", 0))} if with_listener else {}
        made = Runtime(replace(database.settings, **alone, **settings), listeners)
        made.start()
        return made

    return start


@pytest.fixture
def running(start):
    made = start()
    with db.connected():
        yield made
    made.stop()


@pytest.fixture
def server(running) -> Noting:
    return running._servers._running[0][1]


@pytest.fixture
def look_twice(running, monkeypatch):
    """Wait until the watcher has looked twice, which takes it 100 ms, and the server has done what it was told then."""
    assert 2 * runtime.WATCH <= 0.1
    looks, share = [], running._doorman.share
    monkeypatch.setattr(running._doorman, "share", lambda: looks.append(share()))

    def look() -> None:
        before = len(looks)
        wait_until(lambda: len(looks) >= before + 2)
        running._looper.run(asyncio.sleep(0), 20)

    return look


def test_changed_permissions_are_told_to_the_server_within_100_ms(server, turing, actor, look_twice):
    integrations.set_permissions(turing.id, actor, publish=["plant/%u/#"], subscribe=[])
    look_twice()
    assert server.permitted == [{turing.id: Grant(turing.id, "turing", ("plant/%u/#",), ())}]
    assert server.cut == []
    login = Login("mqtt", "turing", b"secret", "c", "192.0.2.1")
    assert server.authenticate(login) == Grant(turing.id, "turing", ("plant/%u/#",), ())


def test_a_kick_reaches_the_server_once_and_is_recorded(server, turing, actor, look_twice):
    stays, goes = server.log_in("stays"), server.log_in("goes")
    wait_until(lambda: Connection.select().count() == 2)
    integrations.disconnect(turing.id, actor, goes)
    wait_until(lambda: [row.id for row in Connection.select()] == [stays])
    look_twice()
    assert server.kicked == [([goes], entrance.DISCONNECTED)]
    (row,) = Activity.select().where(Activity.kind == "connection.cut")
    assert (row.detail, row.username, row.integration_id) == (entrance.DISCONNECTED, "turing", turing.id)


def test_a_connection_is_written_with_its_version_and_transport(server, turing):
    server.log_in()
    (row,) = wait_until(lambda: list(Connection.select()))
    assert (row.version, row.transport) == ("5.0", "tls")


def test_traffic_and_online_times_are_written_and_nothing_twice(running, server, turing):
    server.log_in()
    wait_until(lambda: Connection.select().count())
    server.counted = {turing.id: contract.Traffic(3, 4, 50, 60)}
    time.sleep(0.1)
    running._house.account()
    running._house.account()
    (row,) = Traffic.select()
    assert (row.integration_id, row.messages_in, row.messages_out, row.bytes_in, row.bytes_out) == (
        turing.id,
        3,
        4,
        50,
        60,
    )
    assert row.online_ms > 80


def test_traffic_that_could_not_be_written_is_added_the_next_time(running, server, turing, monkeypatch):
    def unavailable(*args: object) -> None:
        raise db.Unavailable[0]("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(traffic, "add", unavailable)
        server.counted = {turing.id: contract.Traffic(1, 0, 10, 0)}
        running._house.account()
    server.counted = {turing.id: contract.Traffic(1, 0, 10, 0)}
    running._house.account()
    (row,) = Traffic.select()
    assert (row.messages_in, row.bytes_in) == (2, 20)


def test_what_was_counted_last_is_written_when_it_stops(start, turing):
    made = start()
    made._servers._running[0][1].counted = {turing.id: contract.Traffic(7, 0, 0, 0)}
    made.stop()
    with db.connected():
        assert [row.messages_in for row in Traffic.select()] == [7]


def test_figures_are_answered_as_plain_values_of_the_connections_asked_for(running, server):
    def known(connection_id: str) -> ConnectionInfo:
        filters = (("x" * 5000, 1), ("plant/#", 0))
        return ConnectionInfo(connection_id, "client", 1, 2, 30, 40, 5, 6, 2, filters)

    server.known = [known("a"), known("b")]
    (row,) = running.connections(7, ["b", "gone"])
    assert row["connection_id"] == "b"
    assert [row[name] for name in ("messages_in", "messages_out", "bytes_in", "bytes_out")] == [1, 2, 30, 40]
    assert [row["queued"], row["dropped"], row["subscription_count"]] == [5, 6, 2]
    assert row["subscriptions"] == [["x" * runtime.SHOWN_FILTER, 1], ["plant/#", 0]]
    assert running.usage() == [{"name": "MQTT_MAX_CONNECTIONS", "used": 2, "limit": 10_000, "exceeded": 1}]


def asked(running, *questions: list) -> list:
    """Return the frames that come when the runtime is asked as other processes ask it."""
    with unix.connect_to(running._settings.data_dir, worker_client.MQTT, 10) as client:
        client.sendall(b"".join(msgpack.packb(question) for question in questions))
        answers = msgpack.Unpacker(client.makefile("rb", 0))
        return [frame for _, frame in zip(questions, answers, strict=False)]


def test_what_other_processes_ask_is_answered_on_the_loop_of_the_server(running, server):
    server.known = [ConnectionInfo("a", "client", 1, 2, 30, 40, 5, 6, 0, ())]
    limits = [{"name": "MQTT_MAX_CONNECTIONS", "used": 2, "limit": 10_000, "exceeded": 1}]
    found = asked(running, [1, "double", [21]], [2, "usage", []], [3, "connections", [7, ["a"]]], [4, "thread", []])
    assert found[:2] == [[1, {"answer": 42}], [2, {"answer": limits}]]
    assert found[2][1]["answer"][0]["connection_id"] == "a"
    assert found[3] == [4, {"answer": "mqtt"}]


def test_a_server_may_push_to_who_has_asked_for_it(running):
    assert asked(running, [None, "follow", ["changed"]]) == [[0, "changed", [1, 2]]]


def test_a_server_without_listeners_is_asked_all_the_same(start):
    made = start(with_listener=False)
    assert asked(made, [1, "double", [21]]) == [[1, {"answer": 42}]]
    made.stop()


def test_a_switch_is_told_to_the_server_within_100_ms(running, server, actor, look_twice):
    wait_until(lambda: server.switched)
    server.switched.clear()
    switches.turn("OPCUA_ALLOW_NONE", False, actor, running._settings)
    look_twice()
    (told,) = server.switched
    assert told == {"OPCUA_ALLOW_NONE": False, "OPCUA_ALLOW_PLAINTEXT": False, "OPCUA_REQUIRE_TRUST": False}


def test_limits_that_are_set_are_handed_to_the_server(start):
    made = start(limits={"MQTT_INFLIGHT": 7, "MQTT_CONNECT_TIMEOUT": 2.5, "OPCUA_NODES": 9})
    tools = made._servers._running[0][1].tools
    made.stop()
    limits = next(iter(parts.make_main(tools)._servers))._limits
    assert (limits.inflight, limits.connect_timeout) == (7, 2.5)


def test_a_node_is_up_while_it_runs(running):
    assert [node.id for node in presence.nodes_up(clock.now())] == [running._node_id]


class Slow(Noting):
    """Lets a client in before it has told that it is ready, and notes which nodes the database has then."""

    async def start(self, listeners, grants) -> None:
        await super().start(listeners, grants)
        self.log_in("early")
        await asyncio.sleep(0.3)  # the presence thread would have written it, and its node
        with db.connected():
            self.nodes = [node.id for node in Node.select()]


def test_a_node_signs_on_when_its_server_accepts_clients_and_loses_nobody(start, database, monkeypatch):
    monkeypatch.setattr(parts, "MAKERS", {"mqtt": Slow})
    (database.settings.data_dir / "node-id").write_text("again")
    presence.start_node("again", clock.now(), {"mqtt": 1883})  # and was killed
    made = start()
    server = made._servers._running[0][1]
    with db.connected():
        assert server.nodes == []
        assert [node.id for node in presence.nodes_up(clock.now())] == ["again"]
        wait_until(lambda: [row.client_id for row in Connection.select()] == ["early"])
    made.stop()
