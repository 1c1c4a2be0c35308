"""What the services agree on: subjects, messages, errors, codes, rights. Values only: no I/O, no clock, no event loop."""
