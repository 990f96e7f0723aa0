"""`python -m benchmarks [part ...] [--quick] [--write]`: measure, and print the tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    beside,
    chances,
    edge,
    footprint,
    http,
    mqtt,
    onboarding,
    opcua,
    pages,
    presence,
    processes,
    report,
    scale,
    vrpc,
)
from benchmarks.report import Table

PARTS: dict[str, Callable[..., list[Table]]] = {
    "mqtt": mqtt.measure,
    "opcua": opcua.measure,
    "http": http.measure,
    "vrpc": vrpc.measure,
    "edge": edge.measure,
    "scale": scale.measure,
    "presence": presence.measure,
    "onboarding": onboarding.measure,
    "chances": chances.measure,
    "pages": pages.measure,
    "footprint": footprint.measure,
}


def main() -> None:
    """Measure the parts that were asked for, one after the other."""
    options = _options()
    processes.raise_file_limit()
    for part in options.parts or PARTS:
        machine = report.machine()
        print(f"# {part}\n", flush=True)
        chosen = {"only": options.only} if options.only else {}
        if options.beside:
            tables = beside.measure(options.beside.resolve(), quick=options.quick, **chosen)
        else:
            tables = PARTS[part](quick=options.quick, **chosen)
        text = "\n\n".join([machine, *(table.markdown() for table in tables)])
        print(f"{text}\n", flush=True)
        if options.write:
            report.write(part, text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Gatehouse against its goals.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one of {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="few and short measurements: they show no more than order")
    parser.add_argument("--write", action="store_true", help=f"also write the tables into {report.DOCUMENT.name}")
    parser.add_argument("--only", metavar="text", default="", help="of mqtt or opcua: rows whose name has this text")
    parser.add_argument(
        "--beside", metavar="folder", type=Path, help="of mqtt: another worktree of the product, instead of the peers"
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if options.quick and options.write:
        parser.error("quick figures are not for the document")
    if options.only and (options.write or options.parts not in (["mqtt"], ["opcua"])):
        parser.error("--only is for the part mqtt or opcua, and not for the document")
    if options.beside and (options.write or options.parts != ["mqtt"]):
        parser.error("--beside is for the part mqtt, and not for the document")
    return options


if __name__ == "__main__":
    main()
