"""The blueprint of the API: parameters of the query are held to their schema, and faults named by parameter."""

from __future__ import annotations

from typing import Any, NoReturn

import marshmallow as ma
from flask import Request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy

from portal.api import problems
from portal.api.problems import Problem, parameter
from portal.api.topics import hold_query_to_utf8
from portal.listeners import REST


class QueryParser(FlaskParser):
    """Takes parameters from the query: known ones, each once unless it is a list."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"query": ma.RAISE}

    def load_querystring(self, req: Request, schema: ma.Schema) -> Any:
        hold_query_to_utf8()
        found = MultiDictProxy(req.args, schema)
        for name, values in req.args.lists():
            if len(values) > 1 and not isinstance(schema.fields.get(name), ma.fields.List):
                raise Problem(422, f"the parameter {name[:60]!r} is there {len(values)} times", parameter(name))
        return found

    def handle_error(self, error: ma.ValidationError, *args: Any, **options: Any) -> NoReturn:
        """Say what is wrong with the first parameter that something is wrong with."""
        messages: Any = error.messages
        name, found = next(iter(messages["query"].items()))
        while not isinstance(found, str):
            found = next(iter(found.values() if isinstance(found, dict) else found))
        raise Problem(422, f"{str(name)[:60]}: {found[:1].lower()}{found[1:].rstrip('.')}", parameter(str(name)))


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    """flask-smorest's, with that parser."""

    ARGUMENTS_PARSER = QueryParser()


blueprint = ApiBlueprint("api", __name__, url_prefix=REST)
problems.init_blueprint(blueprint)
