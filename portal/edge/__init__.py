"""Edge Connectors: the integrations, fleets and archives that they are made of."""
