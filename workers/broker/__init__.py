"""The broker: its queues, its messages (mere hints), the Celery application, and its database."""
