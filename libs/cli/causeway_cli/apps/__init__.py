"""Apps as the command line meets them: found by `module:attribute`, described, turned into contracts and clients."""
