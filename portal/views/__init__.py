"""The pages: one module each."""

from __future__ import annotations

from flask import Flask
from htmx_flask import Htmx

from portal import figures, kinds, wording
from portal.integrations import told_place
from portal.views import (
    activity,
    agent,
    agents,
    auth,
    banners,
    bans,
    calls,
    domains,
    edge_deeds,
    edge_feeds,
    edge_fleets,
    edge_list,
    edge_making,
    edge_one,
    errors,
    integrations,
    listeners,
    nodes,
    onboarding,
    opcua,
    renewals,
    server,
    topics,
    watches,
)


def init_app(app: Flask) -> None:
    """Add every page, and what their templates call."""
    Htmx(app)
    app.register_blueprint(auth.blueprint)
    app.register_blueprint(integrations.blueprint)
    app.register_blueprint(domains.blueprint)
    app.register_blueprint(onboarding.blueprint)
    app.register_blueprint(nodes.blueprint)
    app.register_blueprint(topics.blueprint)
    app.register_blueprint(agents.blueprint)
    app.register_blueprint(agent.blueprint)
    app.register_blueprint(calls.blueprint)
    app.register_blueprint(watches.blueprint)
    app.register_blueprint(edge_list.blueprint)
    app.register_blueprint(edge_making.blueprint)
    app.register_blueprint(edge_fleets.blueprint)
    app.register_blueprint(edge_one.blueprint)
    app.register_blueprint(edge_deeds.blueprint)
    app.register_blueprint(edge_feeds.blueprint)
    app.register_blueprint(activity.blueprint)
    app.register_blueprint(server.blueprint)
    app.register_blueprint(bans.blueprint)
    app.register_blueprint(opcua.blueprint)
    app.register_blueprint(listeners.blueprint)
    app.register_blueprint(renewals.blueprint)
    banners.init_app(app)
    errors.init_app(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        KINDS=kinds.KINDS,
        protocol=kinds.protocol,
        sentence=wording.sentence,
        wording_of=wording.of,
        told_place=told_place,
        transport=figures.transport,
    )
    app.jinja_env.filters.update(
        protocol=kinds.protocol,
        count=figures.count,
        size=figures.size,
        duration=figures.duration,
        messages=figures.messages,
    )
