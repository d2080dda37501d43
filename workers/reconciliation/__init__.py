"""What makes labelling complete, and proves it: Orthanc compared with the ledger."""
