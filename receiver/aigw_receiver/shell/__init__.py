"""Everything that touches the outside: sockets, files, clocks, threads. It decides nothing about domain data."""
