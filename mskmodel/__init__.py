"""The model side: radiographs, neural networks, versions and experiments; it knows no server, queue or PACS."""
