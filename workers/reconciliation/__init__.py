"""Makes labelling complete, and proves it: compares Orthanc with the ledger, and has instances labelled again."""
