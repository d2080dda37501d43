"""The model side: radiographs, networks, versions and experiments; no network, no queue, no PACS."""
