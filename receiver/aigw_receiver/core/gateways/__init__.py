"""The answers of the API about gateways: their state, what they did in a window, and step by step."""
