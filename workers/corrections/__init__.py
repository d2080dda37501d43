"""Truths in bulk: found, imported, exported; and suggestions of what to correct next."""
