"""The durable door to the outside world: jobs as records, tried until done or dead. Knows no business rule and no client."""

__version__ = "0.1.0"

__all__ = ["__version__"]
