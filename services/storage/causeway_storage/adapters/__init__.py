"""Storage's outside: the database, the feed and the work queue."""
