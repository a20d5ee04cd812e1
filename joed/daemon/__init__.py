"""The shell around the engine: loop, journal, control socket, worker and watchdog."""
