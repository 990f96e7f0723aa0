"""What chance a newcomer has to be shown while a flood from many addresses fills the list: a simulation.

Everybody is far away, and knows no better than to try: nobody is let in.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from benchmarks.report import Table
from protocols.knocks import Knock
from protocols.onboarding import Bounds, Requests

STEPS = 100  # in a second
FIRST_ANSWER = 10  # steps from a try until it is asked about again, and becomes a request or does not; 0.1 s
FLOOD_PERIOD = 1 * STEPS  # steps between two tries of one client of the flood
ALONE = 20 * STEPS  # steps for which the flood has the list for itself
BOUNDS = Bounds(requests=150, held=48, hold=20.0)  # of the main part; see `protocols.runtime`
UNEVEN = 0.1  # part of the time between two tries by which it is shorter or longer
NEWCOMERS = 100  # in all
FEW = 100  # addresses of the flood for each newcomer, so that newcomers hardly meet each other
CASES = ((10_000, 5, 4), (10_000, 15, 4), (1_000, 5, 2))  # addresses of the flood, seconds between tries, minutes


@dataclass(slots=True)
class Client:
    """One client with an address of its own."""

    knock: Knock
    period: int  # steps
    next_try: int
    tries: int = 0
    came: list[int] = field(default_factory=list)  # steps in which it was found in the list, having not been before
    shown: int = 0  # steps
    is_shown: bool = False


def measure(*, quick: bool) -> list[Table]:
    """Return the chance of a try, and of being shown at all within some minutes."""
    table = Table(("Addresses of the flood", "A newcomer tries each", "A try is shown", "Within", "Are shown", "For"))
    for addresses, period, minutes in CASES[-1:] if quick else CASES:
        found: list[Client] = []
        for seed in range(1 if quick else NEWCOMERS * FEW // addresses):
            found += simulate(addresses, addresses // FEW, period * STEPS, minutes * 60 * STEPS, seed)
        comings = sum(len(one.came) for one in found)
        shown = [one.shown / len(one.came) / STEPS for one in found if one.came]
        table.add(
            f"{addresses:,}",
            f"{period} s",
            f"{100 * comings / sum(one.tries for one in found):.1f} %",
            f"{minutes} minutes",
            f"{len(shown)} of {len(found)}",
            f"{median(shown):.1f} s" if shown else "",
        )
    table.notes.append(
        "Simulated, without a clock. Each address of the flood is one client that tries once a second, give or take a "
        f"tenth, and all come before the newcomers, one for {FEW} of them, each with an address of its own. A try that "
        "is shown is one after which the client is in the list and was not before; *For* is the median of the time "
        "that a newcomer stays there."
    )
    return [table]


def simulate(addresses: int, newcomers: int, period: int, steps: int, seed: int) -> list[Client]:
    """Let a flood come, and then newcomers for so many steps; return the newcomers."""
    chance = random.Random(seed)
    requests = Requests(BOUNDS, iter(map(str, range(10**9))).__next__)
    requests.follow(1, 1e9, ())
    flood = [_client(f"flood-{n}", FLOOD_PERIOD, chance.randrange(FLOOD_PERIOD)) for n in range(addresses)]
    found = [_client(f"new-{n}", period, ALONE + chance.randrange(period)) for n in range(newcomers)]
    due: defaultdict[int, list[Client]] = defaultdict(list)
    for client in flood + found:
        due[client.next_try].append(client)
    asked: defaultdict[int, list[Client]] = defaultdict(list)
    for step in range(ALONE + steps):
        for client in chance.sample(due[step], len(due[step])):  # else who comes seldom would come first
            client.tries += 1
            due[step + round(client.period * chance.uniform(1 - UNEVEN, 1 + UNEVEN))].append(client)
            if _may_ask(requests, client.knock, step / STEPS):
                asked[step + FIRST_ANSWER].append(client)
        for client in asked.pop(step, ()):
            if _may_ask(requests, client.knock, step / STEPS):
                requests.knock(client.knock, step / STEPS, FIRST_ANSWER / STEPS, bytes)
        del due[step]
        _look(requests, found, step)
    return found


def _client(name: str, period: int, first: int) -> Client:
    return Client(Knock("mqtt", name, name.encode(), name, name, name), period, first)


def _may_ask(requests: Requests, knock: Knock, now: float) -> bool:
    """Ask as the doorman does."""
    return not requests.is_hopeless(knock.place, now) and requests.takes(knock, now)


def _look(requests: Requests, newcomers: list[Client], step: int) -> None:
    """Note who of these is in the list."""
    if step % FIRST_ANSWER:
        return
    names = {request.knock.username for request in requests.listed(step / STEPS)}
    for client in newcomers:
        is_shown = client.knock.username in names
        if is_shown and not client.is_shown:
            client.came.append(step)
        client.is_shown = is_shown
        client.shown += FIRST_ANSWER * is_shown
