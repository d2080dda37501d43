"""What the labeller stands on (broker, Orthanc, machine): looked at by the doctor, and by each process at its start."""

from workers.surroundings.finding import MISSING, OK, WARNING, Away, Finding, UnfitSurroundings

__all__ = ["MISSING", "OK", "WARNING", "Away", "Finding", "UnfitSurroundings"]
