"""Where kept access logs go. Each sink has a queue and a thread of its own, so that none holds up the intake."""
