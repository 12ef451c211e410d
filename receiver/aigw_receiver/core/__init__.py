"""Everything that is decided about telemetry: pure functions and state, with time and ids as arguments."""
