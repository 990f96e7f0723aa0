"""VRPC: calls of the packages from npm, which nobody adapted, beside Mosquitto; and what the portal makes of agents."""

from benchmarks.vrpc.part import measure

__all__ = ["measure"]
