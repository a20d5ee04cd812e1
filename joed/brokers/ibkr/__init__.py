"""Interactive Brokers: TWS or Gateway behind the Broker protocol."""
