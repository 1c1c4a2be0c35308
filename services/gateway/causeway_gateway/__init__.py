"""The gateway: terminates client connections by the Centrifuge protocol; knows no business rule and no database."""

__version__ = "0.1.0"
