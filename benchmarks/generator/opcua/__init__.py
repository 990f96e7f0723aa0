"""The OPC UA clients of the load."""
