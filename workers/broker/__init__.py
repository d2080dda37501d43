"""The broker: its queues, the messages that are hints, the Celery application, and its database."""
