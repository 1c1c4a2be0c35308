"""Storage's rules: what an append, a commit, a relay round, a claim comes to. Values in, values out; times and ids are arguments."""
