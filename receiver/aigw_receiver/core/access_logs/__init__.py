"""Access logs of Envoy: read, understood, counted and decided. Pure, as all of the core."""
