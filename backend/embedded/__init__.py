"""PostgreSQL and Valkey from their wheels as our own child processes: demo and tests."""
