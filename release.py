"""Which release this is: what the page Server shows, and the broker tells monitoring tools."""

VERSION = "0.1.0"
