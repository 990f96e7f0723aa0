"""What agents of the benchmarks say of their classes."""

from __future__ import annotations

from typing import Any

AGENTS, CLASSES, FUNCTIONS = 200, 20, 30  # how many there are, of each agent, of each class


def said_of(name: str, place: str = "left") -> dict[str, Any]:
    """Return the class info of a class whose functions are all documented; that of each place is unlike others."""
    functions = [f"function{number:02}" for number in range(FUNCTIONS)]
    param = {"name": "value", "type": "number", "description": "What it works with", "optional": False}
    described = {
        "description": f"Does something with a value, {place}, and says what came of it",
        "params": [param, param | {"name": "factor", "optional": True, "defaultValue": "1"}],
        "ret": {"type": "number", "description": "What came of it"},
    }
    return {
        "className": name,
        "instances": [place, "right"],
        "memberFunctions": functions,
        "staticFunctions": ["__createIsolated__", "__createShared__", "__callAll__", "__delete__"],
        "meta": {function: described for function in functions},
        "v": 3,
    }
