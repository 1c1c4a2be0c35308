"""`causeway dev`: the whole system as processes of this machine, kept alive by one supervisor."""
