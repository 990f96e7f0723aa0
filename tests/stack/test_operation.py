"""Running it: starting, stopping, failing, and coming back."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import clients, processes
from tests.support.clients import Subscriber, connack, logged_in, publish
from tests.support.processes import wait_until
from tests.support.stack import HOST, PASSWORD, ROOT, Session, Stack

pytestmark = pytest.mark.stack

DOWN = "The HTTP and MQTT servers are not running"


def failed_start(stack: Stack) -> str:
    """Start what cannot start; return the one line that says why."""
    stack.launch()
    status = stack.process.wait(10)
    log = stack.log()
    assert status != 0, log
    assert "Traceback" not in log, log
    (line,) = [line for line in log.splitlines() if line.startswith("gatehouse: ")]
    return line


def test_sigterm_ends_everything_with_clients_connected(make_stack):
    stack = make_stack().start()
    turing = stack.add()
    sockets = [logged_in(stack.mqtt_port, turing, f"c{number}") for number in range(50)]
    try:
        wait_until(lambda: stack.is_online(turing["username"]))
        stack.stop()
        assert all(clients.is_closed(client) for client in sockets)
        assert not stack.is_online(turing["username"])
        assert stack.query("SELECT * FROM connection") == []
        assert stack.query("SELECT * FROM node") == []
        assert stack.query("SELECT last_login FROM integration")[0][0] is not None
    finally:
        for client in sockets:
            client.close()
    stack.clean_log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_ctrl_c_ends_everything_too(make_stack, number):
    stack = make_stack().start()
    stack.stop(number)
    assert "Traceback" not in stack.log()


def test_it_starts_again_with_what_it_had(make_stack):
    stack = make_stack().start()
    turing = stack.add()
    stack.stop()
    stack.start()
    assert connack(stack.mqtt_port, turing["username"], turing["password"]) == 0
    Session(stack).log_in()
    stack.stop()
    stack.clean_log()


def test_after_a_power_cut_it_starts_with_what_it_had_and_nobody_online(make_stack):
    stack = make_stack().start()
    turing = stack.add()
    with Subscriber(stack.mqtt_port, turing) as subscriber:
        subscriber.subscribed()
        wait_until(lambda: stack.is_online(turing["username"]))
        stack.kill()
    stack.start()
    shown = stack.shown(turing["username"])
    assert (shown["online"], shown["connections"]) == (False, 0)
    assert shown["last_login"] is not None
    assert connack(stack.mqtt_port, turing["username"], turing["password"]) == 0
    stack.stop()


def test_a_killed_protocols_worker_comes_back_and_presence_is_right(make_stack):
    stack = make_stack().start()
    stays, leaves = stack.add(), stack.add()
    with (
        Subscriber(stack.mqtt_port, stays) as subscriber,
        logged_in(stack.mqtt_port, leaves, "leaves"),
    ):
        subscriber.subscribed()
        wait_until(lambda: stack.is_online(leaves["username"]))
        wait_until(lambda: stack.is_online(stays["username"]))
        worker = stack.worker_pid()
        os.kill(worker, signal.SIGKILL)
        # mosquitto_sub comes back by itself; the plain socket does not.
        wait_until(lambda: subscriber.text.count("received CONNACK (0)") == 2, what="a reconnect")
        wait_until(
            lambda: stack.is_online(stays["username"]) and not stack.is_online(leaves["username"]),
            what="presence to be right",
        )
        assert stack.worker_pid() != worker
        assert Session(stack).log_in().get("/integrations").status == 200
    stack.stop()
    assert "Traceback" not in stack.log()


def test_a_killed_arbiter_comes_back_too(make_stack):
    """gunicorn's dirty arbiter: the process between its first one and the protocols worker."""
    stack = make_stack().start()
    turing = stack.add()
    worker = stack.worker_pid()
    os.kill(parent_of(worker), signal.SIGKILL)
    wait_until(lambda: not processes.alive(worker), what="the worker without an arbiter to end")
    wait_until(lambda: came_back(stack, worker), what="another worker", every=0.1)
    assert connack(stack.mqtt_port, turing["username"], turing["password"]) == 0
    stack.stop()


def came_back(stack: Stack, worker: int) -> bool:
    try:
        return stack.worker_pid() != worker and stack.beats()
    except AssertionError:
        return False


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def test_when_the_first_process_is_killed_all_end_and_it_can_start_again(make_stack):
    stack = make_stack().start()
    family = processes.descendants(stack.process.pid)
    stack.process.kill()
    stack.process.wait()
    try:
        wait_until(lambda: not any(map(processes.alive, family)), what="every process to end")
    finally:
        stack._kill_all(family)
    stack.start()
    stack.stop()


def test_the_page_says_when_the_protocols_worker_is_down_and_shows_nobody_online(make_stack):
    stack = make_stack().start()
    turing = stack.add()
    session = Session(stack).log_in()
    with logged_in(stack.mqtt_port, turing, "c"):
        wait_until(lambda: stack.is_online(turing["username"]))
        page = session.get("/integrations").text
        assert DOWN not in page
        # It hangs, and so does not come back by itself for a while.
        worker = stack.worker_pid()
        os.kill(worker, signal.SIGSTOP)
        try:
            wait_until(lambda: DOWN in session.get("/integrations").text, what="the banner", every=0.2)
            shown = stack.shown(turing["username"])
            assert (shown["online"], shown["connections"]) == (False, 0)
            poll = session.get("/integrations/rows").text
            assert DOWN in poll
            assert stack.json("integrations", "deactivate", turing["username"])
        finally:
            os.kill(worker, signal.SIGCONT)
        wait_until(lambda: DOWN not in session.get("/integrations").text, what="no banner", every=0.2)
    wait_until(lambda: not stack.is_online(turing["username"]))
    stack.kill()


def test_a_hung_protocols_worker_does_not_keep_it_from_stopping(make_stack):
    stack = make_stack().start()
    os.kill(stack.worker_pid(), signal.SIGSTOP)
    stack.process.terminate()
    family = processes.descendants(stack.process.pid)
    stack.process.wait(15)
    wait_until(lambda: not any(map(processes.alive, family)), what="every process to end")


@pytest.mark.parametrize("setting", ["PORT", "MQTT_PORT"])
def test_a_port_in_use_is_named(make_stack, setting):
    with socket.create_server((HOST, 0)) as holder:
        port = holder.getsockname()[1]
        line = failed_start(make_stack(**{setting: str(port)}))
    assert line.startswith(f"gatehouse: {setting}: cannot listen on {HOST} port {port}: Address already in use")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PORT", "http"),
        ("MQTT_PORT", "99999"),
        ("HOST", "203.0.113.77"),
        ("HOST", "no such host"),
        ("DATA_DIR", "/proc/nothing/here"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "sqlite:////no/such/folder/gatehouse.db"),
        ("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x"),
        ("SECRET_KEY", "short"),
        ("ADMIN_PASSWORD", "short"),
        ("ADMIN_EMAIL", "nobody"),
        ("TRUSTED_PROXIES", "all"),
    ],
)
def test_an_unusable_setting_stops_the_start_with_one_line(make_stack, setting, value):
    line = failed_start(make_stack(**{setting: value}))
    assert setting in line
    assert "hunter2" not in line


def test_another_start_on_the_same_data_folder_is_refused_and_does_not_disturb_the_first(make_stack):
    stack = make_stack().start()
    turing = stack.add()
    second = make_stack(DATA_DIR=stack.environ["DATA_DIR"])
    with logged_in(stack.mqtt_port, turing, "c") as client:
        wait_until(lambda: stack.is_online(turing["username"]))
        assert failed_start(second).startswith("gatehouse: DATA_DIR: another protocols worker runs on")
        client.sendall(b"\xc0\x00")
        assert clients.receive(client, 2) == b"\xd0\x00"
        assert stack.is_online(turing["username"])
    stack.stop()
    stack.clean_log()


def test_two_installations_on_one_machine_do_not_disturb_each_other(make_stack):
    first, second = make_stack().start(), make_stack().start()
    turing = first.add()
    with logged_in(first.mqtt_port, turing, "c") as client:
        wait_until(lambda: first.is_online(turing["username"]))
        assert connack(second.mqtt_port, turing["username"], turing["password"]) == 4
        for _ in range(2):
            second.stop()
            second.start()
        second.stop()
        client.sendall(b"\xc0\x00")
        assert clients.receive(client, 2) == b"\xd0\x00"
        assert first.is_online(turing["username"])
    first.stop()
    first.clean_log()
    second.clean_log()


def test_without_the_mqtt_listener_the_pages_work(make_stack):
    stack = make_stack(MQTT_PORT="off").start()
    assert Session(stack).log_in().get("/integrations").status == 200
    with pytest.raises(ConnectionRefusedError):
        clients.open_socket(stack.mqtt_port)
    stack.stop()
    stack.clean_log()


def test_without_a_first_account_a_token_is_printed_that_makes_one(make_stack):
    stack = make_stack(ADMIN_EMAIL="", ADMIN_PASSWORD="").start()
    (line,) = [line for line in stack.log().splitlines() if "/setup?token=" in line]
    path = line.partition(stack.url)[2]
    session = Session(stack)
    assert session.get("/").status in {302, 303}
    assert session.get(path).status == 200
    wrong = session.post("/setup", token="wrong", email="eve@example.com", password=PASSWORD)
    assert wrong.status == 422
    token = path.partition("token=")[2]
    made = session.post("/setup", token=token, email="ada@example.com", password=PASSWORD)
    assert made.status == 303
    assert session.get("/integrations").status == 200
    again = Session(stack)
    again.get("/login")
    second = again.post("/setup", token=token, email="eve@example.com", password=PASSWORD)
    assert second.status == 303  # to the login page
    assert [row["email"] for row in stack.json("accounts", "list")] == ["ada@example.com"]
    stack.stop()
    stack.clean_log()


def test_while_another_process_holds_the_database_clients_get_in_and_no_change_is_reported_saved(
    make_stack,
):
    stack = make_stack().start()
    turing, hopper = stack.add(), stack.add()
    session = Session(stack).log_in()
    holder = sqlite3.connect(stack.folder / "data" / "gatehouse.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with logged_in(stack.mqtt_port, turing, "during") as client:
            assert "database is locked" not in stack.log(), "the login path does not wait for the database"
            with ThreadPoolExecutor() as pool:  # both wait for the database for as long as they may
                trying = pool.submit(stack.flask, "integrations", "deactivate", hopper["username"], check=False)
                answer = session.post(f"/integrations/{hopper['id']}/deactivate")
                command = trying.result()
            assert answer.status == 503, answer.text
            assert "Nothing was changed" in answer.text
            listed = session.get("/integrations")
            assert listed.status == 200, "reading goes on"
            assert command.returncode == 1
            assert "database cannot be used" in command.stderr
            assert "Traceback" not in command.stderr
            assert not stack.is_online(turing["username"])
            holder.execute("ROLLBACK")
            wait_until(lambda: stack.is_online(turing["username"]), what="presence to catch up")
            client.sendall(b"\xc0\x00")
            assert clients.receive(client, 2) == b"\xd0\x00"
        assert stack.shown(hopper["username"])["active"] is True
    finally:
        holder.close()
    wait_until(lambda: not stack.is_online(turing["username"]))
    assert session.post(f"/integrations/{hopper['id']}/deactivate").status == 303
    stack.stop()
    log = stack.log()
    assert "database is locked" in log
    assert "Traceback" not in log


@pytest.mark.postgres
def test_the_main_path_on_postgresql(make_stack, postgresql):
    stack = make_stack(DATABASE_URL=postgresql.url(postgresql.create())).start()
    turing = stack.add()
    session = Session(stack).log_in()
    with Subscriber(stack.mqtt_port, turing) as subscriber:
        subscriber.subscribed()
        wait_until(lambda: stack.is_online(turing["username"]))
        assert turing["username"] in session.get("/integrations").text
        assert publish(stack.mqtt_port, turing, "a/b", "hello", "-q", "1").returncode == 0
        subscriber.wait_for("a/b hello")
        assert session.post(f"/integrations/{turing['id']}/deactivate").status == 303
        assert subscriber.ended() != 0
    wait_until(lambda: not stack.is_online(turing["username"]))
    stack.stop()
    stack.clean_log()


@pytest.mark.postgres
def test_a_postgresql_that_restarts_is_found_again(make_stack, postgresql):
    name = postgresql.create()
    stack = make_stack(DATABASE_URL=postgresql.url(name)).start()
    turing = stack.add()
    session = Session(stack).log_in()
    with logged_in(stack.mqtt_port, turing, "before"):
        wait_until(lambda: stack.is_online(turing["username"]))
    wait_until(lambda: not stack.is_online(turing["username"]))
    postgresql.disconnect(name)
    with logged_in(stack.mqtt_port, turing, "c"):
        wait_until(lambda: stack.is_online(turing["username"]), what="presence to catch up")
        wait_until(lambda: session.get("/integrations").status == 200)
        stack.flask("integrations", "deactivate", turing["username"])
        wait_until(lambda: not stack.is_online(turing["username"]))
    stack.stop()
    assert "Traceback" not in stack.log()


def test_the_protocols_worker_runs_alone_beside_the_command_line(make_stack):
    stack = make_stack()
    turing = stack.add()
    with stack.log_file.open("ab") as log:
        stack.process = processes.start(
            [sys.executable, "-m", "protocols"],
            cwd=ROOT,
            env=stack.environ,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    wait_until(stack.beats)
    with logged_in(stack.mqtt_port, turing, "c"):
        wait_until(lambda: stack.is_online(turing["username"]))
    stack.stop()
    stack.clean_log()


def test_the_protocols_worker_alone_names_an_unusable_setting():
    tried = subprocess.run(
        [sys.executable, "-m", "protocols"],
        cwd=ROOT,
        env={**os.environ, "MQTT_PORT": "x"},
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert tried.returncode == 1
    assert tried.stderr.startswith("gatehouse: MQTT_PORT: ")
    assert tried.stderr.count("\n") == 1
