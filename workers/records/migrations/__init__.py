"""How the tables came to be what they are: alembic's revisions, run by the process that keeps the records."""
