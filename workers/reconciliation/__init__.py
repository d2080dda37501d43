"""Makes labelling complete, and proves it: compares Orthanc with the ledger."""
