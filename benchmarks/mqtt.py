"""Messages and connections, beside Mosquitto, aedes and amqtt in the same run."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks import brokers
from benchmarks.brokers import NAMES, Broker
from benchmarks.measurements import MEASUREMENTS, PACE, PAYLOAD, SLOW, TRAFFIC, Figure, Measurement
from benchmarks.report import Table, met, spread

CONNECTS = 3_000


def measure(*, quick: bool, only: str = "") -> list[Table]:
    """Return the figures, and where each broker and the load spent the processors."""
    rounds, seconds = (1, 0.3) if quick else (5, 1.5)
    chosen = [one for one in MEASUREMENTS if any(only.lower() in figure.what.lower() for figure in one.figures)]
    with brokers.running() as (found, notes):
        for number in range(rounds):
            both = found[:2][:: -1 if number % 2 else 1]
            for measurement in chosen:
                for broker in both:
                    broker.run(measurement.what, measurement.job, options(measurement, seconds, quick=quick))
        for measurement in chosen:
            for broker in found[2:]:
                _run_slow(broker, measurement, min(seconds, 1.0))
    return [_figures(found, chosen, rounds, notes), _shares(found, chosen)]


def options(measurement: Measurement, seconds: float, *, quick: bool = False) -> dict[str, Any]:
    """Return what a measurement asks of the load."""
    found = dict(measurement.options)
    if measurement.job == "round_trip":
        found["messages"] = int(seconds * PACE)
    elif measurement.job == "connects":
        found["clients"] = CONNECTS // SLOW if quick else CONNECTS
    else:
        found["seconds"] = seconds
    return found


def _run_slow(broker: Broker, measurement: Measurement, seconds: float) -> None:
    """Take a measurement of a slow peer once, and with less under way, so that it ends."""
    if reason := measurement.without.get(broker.name):
        broker.failed[measurement.what] = reason
        return
    wanted = options(measurement, seconds, quick=True)
    if "deliveries" in wanted:
        wanted["deliveries"] = max(1, wanted["deliveries"] // SLOW)
    broker.run(measurement.what, measurement.job, wanted)


def _figures(found: list[Broker], chosen: list[Measurement], rounds: int, notes: list[str]) -> Table:
    table = Table(("What", "Goal", *NAMES, "Ratio", "Met"))
    by_name = {broker.name: broker for broker in found}
    for measurement in chosen:
        for figure in measurement.figures:
            values = [_values(by_name.get(name), measurement, figure) for name in NAMES]
            cells = [cell(seen, figure) for seen in values]
            ratio = statistics.median(values[0]) / statistics.median(values[1]) if values[0] and values[1] else None
            table.add(figure.what, figure.bound, *cells, times(ratio), _met(figure, ratio))
    table.notes.append(
        f"Messages a second of {PAYLOAD} bytes where nothing else is said: median (lowest–highest) of {rounds} rounds; "
        f"aedes and amqtt once each. The ratio is Gatehouse's to Mosquitto's. {_lost(found)}"
    )
    table.notes.extend([*notes, *reasons(found)])
    return table


def _values(broker: Broker | None, measurement: Measurement, figure: Figure) -> list[float]:
    return [figure.value(answer) for answer in broker.seen.get(measurement.what, [])] if broker is not None else []


def cell(values: list[float], figure: Figure) -> str:
    """Return what was seen of a figure."""
    if len(values) == 1:
        return f"{values[0]:,.0f}{figure.unit}"
    return spread(values, figure.unit) if values else "–"


def times(ratio: float | None) -> str:
    """Return a ratio."""
    return "–" if ratio is None else f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"


def _met(figure: Figure, ratio: float | None) -> str:
    return met(ratio is not None and figure.is_met(ratio)) if figure.goal is not None else ""


def reasons(found: list[Broker]) -> list[str]:
    """Say why a broker has no figure."""
    return [f"{broker.name}, {what}: {reason}." for broker in found for what, reason in broker.failed.items()]


def _lost(found: list[Broker]) -> str:
    """Say how many messages did not arrive."""
    facts = []
    for broker in found:
        lost, sent = (sum(sum(broker.values(one.what, name)) for one in TRAFFIC) for name in ("lost", "sent"))
        facts.append(f"{broker.name} {lost:,} of {sent:,} sent")
    return f"Lost messages: {', '.join(facts)}."


def _shares(found: list[Broker], chosen: list[Measurement]) -> Table:
    """Return who was busy: a load near 100 % of a core is the limit itself."""
    both = found[:2]
    table = Table(("Share of a core", *(column for broker in both for column in (broker.name, "its load"))))
    for measurement in chosen:
        if measurement.job != "round_trip":
            cells = [
                f"{statistics.median(values):.0%}" if (values := broker.values(measurement.what, name)) else "–"
                for broker in both
                for name in ("broker_cpu", "load_cpu")
            ]
            table.add(measurement.what, *cells)
    return table
