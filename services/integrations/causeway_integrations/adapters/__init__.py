"""The outside of integrations: storage over the bus, HTTP with address checks, the retry schedule."""
