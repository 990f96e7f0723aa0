"""The clients from npm, which script/test installs into tests/npm/node_modules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "npm"
BUNDLE = FOLDER / "node_modules" / "mqtt" / "dist" / "mqtt.min.js"

VRPC_BUNDLE = FOLDER / "node_modules" / "vrpc" / "browser" / "vrpc.js"


def program() -> str:
    """Return where Node is, which has what the scripts of tests/npm need."""
    found = shutil.which("node")
    assert found, "Node is not installed: apt-get install nodejs npm"
    assert BUNDLE.exists(), "MQTT.js is not installed: script/test installs it"
    return found


def node(script: str, *words: str, **environ: str) -> Any:
    """Run a script of tests/npm; return the JSON of the last line that it prints."""
    done = subprocess.run(
        [program(), script, *words],
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"], **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done
    return json.loads(done.stdout.splitlines()[-1])
