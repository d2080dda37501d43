"""Training jobs: durable records, the process that runs a job, and the one that watches it."""
