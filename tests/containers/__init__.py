"""The containers, seen from outside; run by tests/compose.sh."""
