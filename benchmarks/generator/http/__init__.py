"""The load of the REST API."""
