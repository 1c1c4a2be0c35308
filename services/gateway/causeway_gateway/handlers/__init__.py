"""What the gateway does: for its clients, their questions, their channels' feeds, and the server API. Transports are not known here."""
