"""Decisions on Kubernetes objects: pure functions of a snapshot. No I/O, clock, randomness, logging or client."""
