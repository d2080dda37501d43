"""Training jobs: durable records, the process that does one, and the one that watches over it."""
