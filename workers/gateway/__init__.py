"""The gateway process: receives Orthanc's webhook, and serves the REST interface."""
