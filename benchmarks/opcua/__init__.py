"""OPC UA, beside node-opcua-server in the same run."""

from benchmarks.opcua.part import measure

__all__ = ["measure"]
