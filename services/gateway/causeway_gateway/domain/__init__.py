"""What the gateway decides, without I/O: no event loop, no sockets, no clock. Time and ids are arguments."""
