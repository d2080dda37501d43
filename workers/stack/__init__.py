"""The local stack: Orthanc, Valkey, gateway, workers and scheduler on one machine, under one data directory."""
