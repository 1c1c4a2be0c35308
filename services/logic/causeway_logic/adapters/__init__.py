"""The outside of the runner: the bus on both sides, the app's module."""
