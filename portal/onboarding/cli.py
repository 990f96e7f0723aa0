"""The command line: `flask onboarding ...`, which asks the protocols worker that runs on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import Flask, current_app

from portal import clock, listing
from portal.cli import ACTOR, command, show, show_list
from portal.config import Settings
from portal.models import OnboardingWindow
from portal.onboarding import ignored, requests, window
from portal.onboarding.window import MINUTES, NotOpen
from portal.worker_client import Silent

group = click.Group("onboarding", help="Open smart onboarding, and decide on the clients that knock.")

GONE = "there is no such request (any more)"
SILENT = "the protocol servers do not answer"


def init_app(app: Flask) -> None:
    """Add the commands to `flask`."""
    app.cli.add_command(group)


@command(group, "open")
@click.option("--minutes", default=MINUTES, type=click.IntRange(1, window.MOST_MINUTES), show_default=True)
def open_window(minutes: int, as_json: bool) -> None:
    """Have unknown clients shown from now on; one window is open at a time."""
    _show_window(window.open_one(ACTOR, minutes), as_json)


@command(group, "extend")
@click.option("--minutes", default=MINUTES, type=click.IntRange(1, window.MOST_MINUTES), show_default=True)
def extend(minutes: int, as_json: bool) -> None:
    """Have the window open for longer."""
    with _told():
        _show_window(window.extend(ACTOR, minutes), as_json)


@command(group, "close")
def close(as_json: bool) -> None:
    """Refuse unknown clients again; what they offered is forgotten."""
    window.close(ACTOR)
    show({"open": False}, as_json, "smart onboarding is closed")


@command(group, "status")
def status(as_json: bool) -> None:
    """Say whether smart onboarding is open, and who opened it."""
    found = window.current(clock.now())
    if found is None:
        show({"open": False}, as_json, "smart onboarding is closed")
    else:
        _show_window(found, as_json)


@command(group, "list")
def list_requests(as_json: bool) -> None:
    """List the clients that ask to come in."""
    found = requests.find(_settings())
    if found.silent and not found.requests:
        raise click.ClickException(SILENT)
    rows = [requests.as_json(one) for one in found.requests]
    columns = ("id", "type", "username", "domain", "role", "client_id", "address", "tries", "held", "rival")
    show_list(rows, as_json, *columns)


@command(group, "approve")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def approve(ids: tuple[str, ...], as_json: bool) -> None:
    """Let clients in, each with the username and password that it brought."""
    sealer = current_app.extensions["gatehouse_sealer"]
    with _told():
        outcomes = requests.approve(ids, ACTOR, sealer, _settings())
    if not outcomes:
        raise click.ClickException(GONE)
    made = [outcome.integration for outcome in outcomes if outcome.integration is not None]
    rows = [listing.as_json(row) for row in listing.with_connections(made, clock.now())]
    show_list(rows, as_json, "username", "type")
    if faults := [f"{outcome.username}: {outcome.fault}" for outcome in outcomes if outcome.integration is None]:
        raise click.ClickException("; ".join(faults))


@command(group, "ignore")
@click.argument("id")
@click.option("--for-good", is_flag=True, help="Not only while this window is open.")
def ignore(id: str, for_good: bool, as_json: bool) -> None:
    """Have a client not shown any more."""
    with _told():
        gone = requests.dismiss([id], ACTOR, _settings(), for_good=for_good)
    if not gone:
        raise click.ClickException(GONE)
    show(requests.as_json(gone[0]), as_json, f"{gone[0].username} is ignored")


@command(group, "ignored")
def list_ignored(as_json: bool) -> None:
    """List the clients that are ignored for good."""
    rows = [ignored.as_json(row) for row in ignored.everybody()]
    show_list(rows, as_json, "id", "protocol", "username", "client_id", "ignored_by", "ignored_at")


@command(group, "forget")
@click.argument("id", type=int)
def forget(id: int, as_json: bool) -> None:
    """Show a client again that was ignored for good."""
    found = ignored.forget(id, ACTOR)
    show(ignored.as_json(found), as_json, f"{found.username or found.client_id} is not ignored any more")


@contextmanager
def _told() -> Iterator[None]:
    """Say why something cannot be done."""
    try:
        yield
    except NotOpen as error:
        raise click.ClickException(str(error)) from error
    except Silent as error:
        raise click.ClickException(SILENT) from error


def _show_window(found: OnboardingWindow, as_json: bool) -> None:
    told = {
        "open": True,
        "opened_by": found.opened_by,
        "opened_at": found.opened_at.isoformat(),
        "closes_at": found.closes_at.isoformat(),
    }
    show(told, as_json, f"smart onboarding is open until {found.closes_at:%H:%M:%S} UTC, opened by {found.opened_by}")


def _settings() -> Settings:
    found: Settings = current_app.extensions["gatehouse_settings"]
    return found
