"""What happens when an app is asked: dispatch, the context of one call, edits of entities. Knows ports, not the bus."""
