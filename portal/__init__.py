"""The portal: what people manage, and what the protocol servers are told."""
