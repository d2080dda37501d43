"""What people say in bulk: found, imported, exported, and what they should look at next."""
