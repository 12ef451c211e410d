"""The demo: real traffic through a gateway, into the receiver, with no cluster.

It starts an LLM stand-in, a gateway in front of it (a real Envoy and a stand-in that measures like the AI Gateway, or
the real aigw), the receiver, and a steady mix of requests; it shows a live table and the requests that are kept, and at
the end proves that the receiver's series equal what the gateways recorded, and that decisions and cost equal what was
sent. It must not import the receiver: it sees it as a user does, through its ports and files.
"""
