"""The command line: `flask integrations ...` and `flask accounts ...`.

Every command takes --json.  It exits with 0 when done, 1 when refused (the reason is on standard error), 2 when
called wrongly.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import click
from flask import Flask, current_app

from portal import accounts, bans, clock, db, domains, integrations, listing
from portal.config import SettingError
from portal.credentials import SealError
from portal.fields import FieldError
from portal.integrations import Actor
from portal.kinds import KINDS
from portal.models import Account, Integration
from vrpc_topics import ROLES

P = ParamSpec("P")
ACTOR = Actor("command line")

integrations_group = click.Group("integrations", help="Add, list and change integrations.")
accounts_group = click.Group("accounts", help="Add, list and change accounts.")
bans_group = click.Group("bans", help="List and lift the bans of addresses and usernames for guessing.")


def init_app(app: Flask) -> None:
    """Add the commands to `flask`."""
    app.cli.add_command(integrations_group)
    app.cli.add_command(accounts_group)
    app.cli.add_command(bans_group)


def read_dash(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Read a password from standard input for a minus: command lines can be seen by every user of a machine."""
    return sys.stdin.readline().rstrip("\n") if value == "-" else value


def command(group: click.Group, name: str) -> Callable[[Callable[P, None]], click.Command]:
    """Make a function a command that has --json, a database at hand, and clear errors."""

    def decorate(function: Callable[P, None]) -> click.Command:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            os.umask(0o077)
            try:
                db.migrate(current_app.extensions["gatehouse_settings"])
                with db.connected():
                    function(*args, **kwargs)
            except (FieldError, SettingError, SealError) as error:
                raise click.ClickException(str(error)) from error
            except LookupError as error:
                raise click.ClickException(str(error)) from error
            except db.Unavailable as error:
                raise click.ClickException(f"the database cannot be used: {error}") from error

        option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
        made: click.Command = group.command(name)(option(run))
        return made

    return decorate


@command(integrations_group, "add")
@click.option("--type", "type", type=click.Choice(list(KINDS)), required=True)
@click.option("--username", help="Generated when left out.")
@click.option("--password", callback=read_dash, help="Generated when left out; - reads it from standard input.")
@click.option("--note", default="", help="A line of free text.")
@click.option(
    "--domain", default="", help="Of VRPC and Edge Connectors; of an HTTP integration, whose functions it may call."
)
@click.option("--role", type=click.Choice(ROLES), help="Of VRPC in its domain; both when left out.")
def add_integration(type: str, domain: str, role: str | None, as_json: bool, **given: Any) -> None:
    """Add an active integration, and print its credentials."""
    if KINDS[type].is_placed:
        domain = domain or domains.default(current_app.extensions["gatehouse_settings"])
    made = integrations.create(ACTOR, _sealer(), type, domain=domain, role=role or "", **given)
    secret = _sealer().open(made.sealed_password)
    show(_row(made) | {"password": secret}, as_json, f"{made.username}\t{secret}")


@command(integrations_group, "list")
def list_integrations(as_json: bool) -> None:
    """List all integrations."""
    rows = [listing.as_json(row) for row in listing.everything(clock.now())]
    show_list(rows, as_json, "username", "type", "domain", "role", "active", "online", "last_login", "note")


@command(integrations_group, "activate")
@click.argument("username")
def activate(username: str, as_json: bool) -> None:
    """Let an integration's client in again."""
    _set_active(username, True, as_json)


@command(integrations_group, "deactivate")
@click.argument("username")
def deactivate(username: str, as_json: bool) -> None:
    """Cut an integration's connections, and refuse its next login."""
    _set_active(username, False, as_json)


@command(integrations_group, "permit")
@click.argument("username")
@click.option("--publish", multiple=True, metavar="FILTER", help="A topic filter; give it once for each.")
@click.option("--subscribe", multiple=True, metavar="FILTER", help="An empty one alone allows nothing.")
def permit(username: str, publish: tuple[str, ...], subscribe: tuple[str, ...], as_json: bool) -> None:
    """Say to which topics an integration may publish and subscribe; what is not given stays as it is."""
    integration = integrations.set_permissions(
        integrations.by_username(username).id, ACTOR, publish=publish or None, subscribe=subscribe or None
    )
    own = KINDS[integration.type].own
    nothing = f"nothing beyond {own}" if own else "nothing"
    lines = [
        f"{integration.username} may {verb} to {', '.join(filters) or nothing}"
        for verb, filters in (("publish", integration.publish_filters), ("subscribe", integration.subscribe_filters))
    ]
    show(_row(integration), as_json, "\n".join(lines))


@command(integrations_group, "place")
@click.argument("username")
@click.option("--domain", help="Of an HTTP integration an empty one takes its calls away.")
@click.option("--role", type=click.Choice(ROLES), help="Of VRPC in its domain.")
def place(username: str, domain: str | None, role: str | None, as_json: bool) -> None:
    """Say in which domain of VRPC an integration is, in which role; what is not given stays as it is."""
    integration = integrations.by_username(username)
    integration = integrations.set_domain(
        integration.id,
        ACTOR,
        domain=integration.domain if domain is None else domain,
        role=role or integration.role,
    )
    part = integrations.told_place(integration.domain, integration.role)
    show(_row(integration), as_json, f"{integration.username} is {part}")


@command(integrations_group, "disconnect")
@click.argument("username")
def disconnect(username: str, as_json: bool) -> None:
    """Close an integration's connections; its client may come back."""
    integration = integrations.by_username(username)
    count = integrations.disconnect(integration.id, ACTOR)
    plural = "connection" if count == 1 else "connections"
    show({"username": integration.username, "disconnected": count}, as_json, f"{count} {plural} closed")


@command(integrations_group, "delete")
@click.argument("username")
def delete(username: str, as_json: bool) -> None:
    """Delete an integration, and cut its connections."""
    gone = integrations.delete(integrations.by_username(username).id, ACTOR)
    show({"username": gone.username, "deleted": True}, as_json, f"{gone.username} is deleted")


@command(integrations_group, "reveal")
@click.argument("username")
def reveal(username: str, as_json: bool) -> None:
    """Print an integration's password; that it was shown is recorded."""
    integration = integrations.by_username(username)
    password = integrations.reveal(integration.id, ACTOR, _sealer())
    show(_row(integration) | {"password": password}, as_json, password)


@command(accounts_group, "add")
@click.argument("email")
@click.option("--password", callback=read_dash, help="Asked for when left out; - reads it from standard input.")
def add_account(email: str, password: str | None, as_json: bool) -> None:
    """Add an account that can log in to the portal."""
    account = accounts.create(ACTOR, email, _ask_password() if password is None else password)
    show(_account(account), as_json, f"{account.email} can log in")


@command(accounts_group, "list")
def list_accounts(as_json: bool) -> None:
    """List all accounts."""
    rows = [_account(account) for account in Account.select().order_by(Account.email)]
    show_list(rows, as_json, "email", "last_login")


@command(accounts_group, "set-password")
@click.argument("email")
@click.option("--password", callback=read_dash, help="Asked for when left out; - reads it from standard input.")
def set_password(email: str, password: str | None, as_json: bool) -> None:
    """Give an account another password, which logs it out everywhere."""
    email = accounts.set_password(ACTOR, email, _ask_password() if password is None else password)
    show({"email": email, "changed": True}, as_json, f"the password of {email} is changed")


@command(bans_group, "list")
def list_bans(as_json: bool) -> None:
    """List the addresses and usernames that are refused for guessing."""
    rows = [bans.as_json(ban) for ban in bans.current(clock.now())]
    show_list(rows, as_json, "kind", "name", "protocol", "failures", "since", "until", "last_username", "last_address")


@command(bans_group, "lift")
@click.argument("name")
def lift_ban(name: str, as_json: bool) -> None:
    """Let an address or a username try again."""
    lifted = bans.lift_by_name(name, ACTOR)
    if as_json:
        click.echo(json.dumps([bans.as_json(ban) | {"lifted": True} for ban in lifted], indent=2))
        return
    for ban in lifted:
        click.echo(f"the ban of {ban.kind} {ban.name} is lifted")


def _set_active(username: str, active: bool, as_json: bool) -> None:
    integration = integrations.by_username(username)
    integration = integrations.set_active(integration.id, active, ACTOR)
    state = "active" if active else "inactive"
    show(_row(integration), as_json, f"{integration.username} is {state}")


def _sealer() -> Any:
    return current_app.extensions["gatehouse_sealer"]


def _row(integration: Integration) -> dict[str, object]:
    return listing.as_json(listing.with_connections([integration], clock.now())[0])


def _account(account: Account) -> dict[str, object]:
    return {
        "email": account.email,
        "created_at": account.created_at.isoformat(),
        "last_login": account.last_login.isoformat() if account.last_login else None,
    }


def _ask_password() -> str:
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def show(values: dict[str, object], as_json: bool, line: str) -> None:
    """Print an object as JSON, or a line about it."""
    click.echo(json.dumps(values, indent=2) if as_json else line)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def show_list(rows: list[dict[str, object]], as_json: bool, *columns: str) -> None:
    """Print rows: everything as JSON, or these columns as a table."""
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    cells = [list(columns), *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
