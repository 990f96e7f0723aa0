"""Imports run one way: portal <- runtime -> contract <- the protocol servers, and down the layers inside each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MQTT = ROOT / "protocols" / "mqtt"

# Only these know the portal.
ADAPTERS = {
    f"protocols.{name}"
    for name in ("doorman", "entrance", "housekeeping", "joining", "parts", "renewals", "runtime", "warden")
} | {"protocols.worker", "protocols.__main__"}

# What the protocol servers share: a server knows these, the contract, and its own folder.
PURE = {f"protocols.{name}" for name in ("access", "hits", "tally", "topics")}  # have neither a loop nor a clock
SHARED = {
    f"protocols.{name}"
    for name in ("contract", "frames", "handover", "journal", "hub", "linking", "listening", "peers", "storage", "vrpc")
} | PURE

# server -> broker -> session -> packets: a module may import its own layer and those below.
SHELL = {"awake", "doors", "hurry", "layer", "server", "shell", "tls"}
STORE = {"checkpoint", "store", "timeline"}  # know files, a thread and the wall clock
HUB_STORE = {"keeper", "store"}
LAYERS = {"server": 3, "broker": 2, "session": 1, "packets": 0}

# What gives a module a clock, a socket or a loop, and what would give it a database.
IMPURE = {
    "asyncio",
    "datetime",
    "flask",
    "gunicorn",
    "os",
    "peewee",
    "portal",
    "random",
    "secrets",
    "selectors",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "uvloop",
}


def modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, at_run_time: bool = False) -> set[str]:
    """Return the dotted names that a module imports; `from a import b` gives `a` and `a.b`."""
    found: set[str] = set()
    package = dotted(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    tree = ast.parse(path.read_text("utf-8"))
    for node in _nodes(tree, at_run_time):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def _nodes(tree: ast.AST, at_run_time: bool):
    """Walk a tree; leave out what only type checkers see, if asked to."""
    for node in ast.iter_child_nodes(tree):
        if at_run_time and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _nodes(node, at_run_time)


def test_the_walk_sees_every_form_of_import(tmp_path):
    path = ROOT / "protocols" / "mqtt" / "made_up.py"

    class Source(type(path)):
        def read_text(self, *args, **options):
            return (
                "import a.b\nfrom c import d\nfrom . import e\nfrom .f import g\nfrom ..h import i\n"
                "def late():\n    import j\n"
            )

    assert imports(Source(path)) == {
        "a.b",
        "c",
        "c.d",
        "protocols.mqtt",
        "protocols.mqtt.e",
        "protocols.mqtt.f",
        "protocols.mqtt.f.g",
        "protocols.h",
        "protocols.h.i",
        "j",
    }


@pytest.mark.parametrize("path", modules("portal"), ids=dotted)
def test_the_portal_never_imports_protocols(path):
    assert not {name for name in imports(path) if name.split(".")[0] == "protocols"}


@pytest.mark.parametrize("path", modules("protocols"), ids=dotted)
def test_only_the_composition_root_and_its_adapters_import_the_portal(path):
    if dotted(path) not in ADAPTERS:
        assert not {name for name in imports(path) if name.split(".")[0] in {"portal", "app"}}


def foreign(path: Path, *allowed: str) -> set[str]:
    """Return what a module imports of ours that is none of these, nor in them."""
    ours = {name for name in imports(path) if name.split(".")[0] in {"portal", "protocols", "app"}} - {"protocols"}
    return {name for name in ours if not any(f"{name}.".startswith(f"{one}.") for one in allowed)}


@pytest.mark.parametrize("server", ["http", "mqtt", "opcua"])
def test_a_protocol_server_knows_the_contract_what_all_share_and_itself_only(server: str) -> None:
    found = {dotted(path): foreign(path, *SHARED, f"protocols.{server}") for path in modules(f"protocols/{server}")}
    assert not {name: names for name, names in found.items() if names}


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_the_servers_share_knows_no_server(name: str) -> None:
    place = ROOT.joinpath(*name.split("."))
    found = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    assert found
    for path in found:
        assert not foreign(path, *SHARED), path


@pytest.mark.parametrize(
    "name", sorted(PURE | {f"protocols.{name}" for name in ("crowding", "knocks", "offers", "onboarding", "origins")})
)
def test_what_the_servers_share_of_their_cores_has_no_loop_socket_clock_or_database(name: str) -> None:
    found = imports(ROOT.joinpath(*name.split(".")).with_suffix(".py"))
    assert not {one for one in found if one.split(".")[0] in IMPURE}


@pytest.mark.parametrize("path", modules("protocols/hub"), ids=dotted)
def test_the_core_of_the_hub_has_no_loop_socket_clock_or_database(path):
    if path.stem not in HUB_STORE:
        assert not {name for name in imports(path) if name.split(".")[0] in IMPURE}


def test_nothing_but_the_composition_root_knows_a_protocol_server():
    for path in modules("protocols"):
        if MQTT not in path.parents and dotted(path) != "protocols.parts":
            assert not {name for name in imports(path) if name.startswith("protocols.mqtt")}, path


@pytest.mark.parametrize("path", modules("protocols/mqtt"), ids=dotted)
def test_the_core_of_mqtt_imports_no_loop_socket_clock_or_database(path):
    if path.stem not in SHELL | STORE:
        assert not {name for name in imports(path) if name.split(".")[0] in IMPURE}


@pytest.mark.parametrize("path", modules("protocols/vrpc"), ids=dotted)
def test_the_core_of_vrpc_imports_no_loop_socket_clock_or_database(path):
    if path.stem != "server":
        assert not {name for name in imports(path) if name.split(".")[0] in IMPURE}


@pytest.mark.parametrize("path", modules("protocols/http"), ids=dotted)
def test_the_core_of_http_imports_no_loop_socket_clock_or_database(path):
    if path.stem not in {"server", "shell"}:
        assert not {name for name in imports(path) if name.split(".")[0] in IMPURE}


@pytest.mark.parametrize("layer", list(LAYERS))
def test_mqtt_imports_run_down_the_layers(layer):
    """Nothing that a layer imports, directly or through others, is a layer above it."""
    reached: set[str] = set()
    waiting = {f"protocols.mqtt.{layer}"}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        assert path.exists(), path
        found = {other for other in imports(path, at_run_time=True) if _is_module(other)}
        waiting |= found - reached
    above = {f"protocols.mqtt.{name}" for name, rank in LAYERS.items() if rank > LAYERS[layer]}
    assert not reached & above


def _is_module(name: str) -> bool:
    in_mqtt = name.startswith("protocols.mqtt.")
    return in_mqtt and ROOT.joinpath(*name.split(".")).with_suffix(".py").exists()


def test_the_contract_imports_nothing_of_ours():
    found = imports(ROOT / "protocols" / "contract.py")
    assert not {name for name in found if name.split(".")[0] in {"portal", "protocols", "app"}}


def test_only_the_clock_reads_the_wall_clock_in_the_portal():
    for path in modules("portal"):
        if path.stem != "clock":
            source = path.read_text("utf-8")
            assert "datetime.now(" not in source, path
            assert "time.time(" not in source, path
