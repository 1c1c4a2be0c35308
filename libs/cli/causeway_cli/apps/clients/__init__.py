"""Typed clients over the official SDKs, written from an app's contract. Pure: text from values."""
