"""The Edge Connector: an agent that makes what a private network has reachable through one outbound connection."""

VERSION = "0.1.0"
