"""Pictures of stored instances, for pages: rendered in child processes, never in the gateway's own."""
