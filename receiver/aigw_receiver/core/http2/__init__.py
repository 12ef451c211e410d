"""HTTP/2 for a server of unary calls (RFC 9113, RFC 7541): bytes in, events and bytes out. It opens no socket."""
