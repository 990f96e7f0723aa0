"""The portal: what people manage, and what the protocol servers are told."""

VERSION = "0.1.0"
