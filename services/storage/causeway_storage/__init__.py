"""Causeway storage: channel logs, entities with their outbox, and records; the only service that talks to a database."""

__version__ = "0.1.0"
