"""The REST API, its streams, and the page that shows what comes, beside RabbitMQ's management API."""

from benchmarks.http.part import measure

__all__ = ["measure"]
