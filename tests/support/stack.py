"""The whole product on free ports: gunicorn with its web workers and its protocols worker."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

import psycopg

from tests.support import commands, processes
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Stack:
    """A running Gatehouse with a data folder of its own."""

    app = "app:app"

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log_file = folder / "stack.log"
        self.port = processes.free_port()
        self.mqtt_port = processes.free_port()
        self.tls_port = processes.free_port()
        self.ws_port = processes.free_port()
        self.wss_port = processes.free_port()
        self.opcua_port = processes.free_port()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "HOST": HOST,
            "PORT": str(self.port),
            "MQTT_PORT": str(self.mqtt_port),
            "MQTT_TLS_PORT": str(self.tls_port),
            "MQTT_WS_PORT": str(self.ws_port),
            "MQTT_WSS_PORT": str(self.wss_port),
            "OPCUA_PORT": str(self.opcua_port),
            "DATA_DIR": str(folder / "data"),
            "ADMIN_EMAIL": EMAIL,
            "ADMIN_PASSWORD": PASSWORD,
            "FLASK_APP": "app:app",
            **settings,
        }
        self.process: subprocess.Popen | None = None
        self._commands = commands.started()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def take(self, address_space: Path) -> None:
        """Have the file of OPC UA's standard nodes before the first start."""
        self.address_space = Path(self.environ["DATA_DIR"]) / "opcua" / address_space.name
        self.address_space.parent.parent.mkdir(mode=0o700)
        self.address_space.parent.mkdir(mode=0o700)
        os.link(address_space, self.address_space)

    # --- life

    def start(self) -> Stack:
        """Start it, and wait until pages and clients are served."""
        self.launch()
        try:
            wait_until(self._ready, what="Gatehouse to be ready")
        except BaseException:
            self.kill()
            sys.stderr.write(self.log())
            raise
        return self

    def launch(self) -> None:
        """Start it, and do not wait."""
        with self.log_file.open("ab") as log:
            self.process = processes.start(
                [sys.executable, "-m", "gunicorn", self.app],
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
            )

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Stop it as a service manager does, and hold it to a clean end."""
        assert self.process is not None
        family = [self.process.pid, *processes.descendants(self.process.pid)]
        try:
            status = processes.stop(self.process, signal_number)
            wait_until(lambda: not any(map(processes.alive, family)), what="every process to end")
        except BaseException:
            sys.stderr.write(self.log())
            raise
        finally:
            self._kill_all(family)
        assert status == 0, f"ended with status {status}:\n{self.log()}"

    def kill(self) -> None:
        """End it at once, with everything that it started."""
        if self.process is not None:
            family = [self.process.pid, *processes.descendants(self.process.pid)]
            self._kill_all(family)
            self.process.wait()

    def _kill_all(self, pids: list[int]) -> None:
        for pid in pids:
            if processes.alive(pid):
                os.kill(pid, signal.SIGKILL)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "Gatehouse ended while starting"
        return self._answers() and self.beats()

    def _answers(self) -> bool:
        try:
            return Session(self).get("/login").status in {200, 302}
        except (OSError, HTTPException):
            return False

    # --- what it says and holds

    def log(self) -> str:
        """Return everything that it printed."""
        return self.log_file.read_text("utf-8", "replace")

    def clean_log(self) -> str:
        """Return the log, which must not hold a traceback or an error."""
        text = self.log()
        assert "Traceback" not in text, text
        assert not re.search(r"\[(ERROR|CRITICAL)\]", text), text
        return text

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask its database directly."""
        url = self.environ.get("DATABASE_URL")
        if url:
            with psycopg.connect(url) as connection:
                return connection.execute(sql).fetchall()
        path = f"file:{self.folder / 'data' / 'gatehouse.db'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as connection:
            return connection.execute(sql).fetchall()

    def wait_written(self, file: str, name: str, value: bytes | float) -> None:
        """Wait until a record of this name, or whose name ends so, has this value in a file in DATA_DIR."""
        encoded = value if isinstance(value, bytes) else struct.pack("<d", value)
        record = re.compile(re.escape(name.encode()) + b".{0,80}?" + re.escape(encoded), re.DOTALL)
        paths = [Path(self.environ["DATA_DIR"]) / f"{file}{end}" for end in ("", "-wal")]
        wait_until(
            lambda: any(path.exists() and record.search(path.read_bytes()) for path in paths),
            what=f"{name} to be {value!r} in {file}",
        )

    def beats(self) -> bool:
        """Tell whether the heartbeat of each part of the protocols worker is fresh."""
        parts = 1 if self.environ["OPCUA_PORT"] == "off" else 2
        fresh = f"heartbeat_at > started_at AND heartbeat_at > {now_ms() - 5000}"
        try:
            return len(self.query(f"SELECT 1 FROM node WHERE {fresh}")) >= parts  # noqa: S608
        except sqlite3.OperationalError:
            return False

    def worker_pid(self) -> int:
        """Return the pid of the protocols worker: gunicorn's only grandchild."""
        assert self.process is not None
        children = processes.children(self.process.pid)
        grandchildren = [pid for child in children for pid in processes.children(child)]
        (pid,) = wait_until(lambda: [p for p in grandchildren if processes.alive(p)])
        return pid

    def opcua_keeper_pid(self) -> int:
        """Return the pid of what keeps the OPC UA part: the protocols worker's only child."""
        worker = self.worker_pid()
        (pid,) = wait_until(lambda: processes.living_children(worker), what="the keeper of the OPC UA part")
        return pid

    def opcua_pid(self) -> int:
        """Return the pid of the OPC UA part: its keeper's only child."""
        keeper = self.opcua_keeper_pid()
        (pid,) = wait_until(lambda: processes.living_children(keeper), what="the OPC UA part")
        return pid

    # --- the command line

    def flask(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command line of the product."""
        done = self._commands.run(words, self.environ)
        assert not check or done.returncode == 0, done
        return done

    def json(self, *words: str) -> Any:
        """Run a command, and return the JSON that it prints."""
        return json.loads(self.flask(*words, "--json").stdout)

    def add(self, type: str = "mqtt", **options: str) -> dict[str, Any]:
        """Add an integration; return it with its password."""
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return self.json("integrations", "add", "--type", type, *words)

    def shown(self, username: str) -> dict[str, Any]:
        """Return an integration as the command line lists it."""
        (found,) = [row for row in self.json("integrations", "list") if row["username"] == username]
        return found

    def is_online(self, username: str) -> bool:
        """Tell whether an integration is online, as the database says (quicker than the command line)."""
        sql = f"""
            SELECT 1 FROM connection c
            JOIN integration i ON i.id = c.integration_id
            JOIN node n ON n.id = c.node_id
            WHERE i.username = '{username}' AND n.heartbeat_at > {now_ms() - 5000}
        """  # noqa: S608
        return bool(self.query(sql))

    def activity(self, where: str = "1 = 1") -> list[dict[str, Any]]:
        """Return rows of activity, oldest first."""
        columns = ("kind", "username", "address", "detail", "count", "protocol", "account")
        sql = f"SELECT {', '.join(columns)} FROM activity WHERE {where} ORDER BY id"  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in self.query(sql)]


class Answer:
    """A response."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.text = body.decode("utf-8", "replace")


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


class Session:
    """Visits pages as a browser without JavaScript: keeps cookies, sends the form's CSRF token."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._cookies = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._cookies), _NoRedirect())
        self.token = ""

    def log_in(self, email: str = EMAIL, password: str = PASSWORD) -> Session:
        self.get("/login")
        answer = self.post("/login", email=email, password=password)
        assert answer.status == 303, answer.text
        self.get("/integrations")
        return self

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self._send(Request(self._stack.url + path, headers=headers or {}))  # noqa: S310

    def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> Answer:
        data = urlencode({"csrf_token": self.token, **form}).encode()
        return self._send(Request(self._stack.url + path, data, headers or {}))  # noqa: S310

    def _send(self, request: Request) -> Answer:
        try:
            response = self._opener.open(request, timeout=15)
        except HTTPError as error:
            response = error
        with closing(response):
            answer = Answer(response.status, response.headers, response.read())
        found = TOKEN.search(answer.text)
        if found:
            self.token = found[1]
        return answer


def now_ms() -> int:
    return round(time.time() * 1000)
