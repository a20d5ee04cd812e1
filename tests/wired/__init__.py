"""joed as a process before brokers as processes: TCP on loopback, real journals, real signals."""
