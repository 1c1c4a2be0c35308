"""Codecs of the client protocol: bytes to commands, replies to bytes. One module per format."""
