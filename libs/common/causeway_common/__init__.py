"""What every Causeway process shares: contracts, the bus, telemetry and the runtime. It knows nothing of any one service."""

__version__ = "0.1.0"
