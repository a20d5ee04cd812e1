"""The Interactive Brokers adapter, piece by piece and whole, against a TWS that speaks the wire."""
