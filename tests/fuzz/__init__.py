"""Bad input for the MQTT broker, from seeds: run `python -m tests.fuzz --help`."""
