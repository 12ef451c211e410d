"""What keeps the receiver from starting, said in one line."""


class StartError(Exception):
    """An address, a file or a directory cannot be used; the message says which, and why."""
