"""The outside: WebSocket and HTTP, the bus, the clock. Nothing here decides what a client may."""
