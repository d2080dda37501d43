"""The records: one SQL database with the index, a row an instance, and the one process that keeps it."""
