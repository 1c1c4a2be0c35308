"""What happens when a job is delivered, and what the operations of the connectors do. Knows ports, not the bus."""
