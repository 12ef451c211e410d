"""The world: the API server, queues, probes, metrics, files. It decides nothing about what an object should hold."""
