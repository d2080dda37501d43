"""What the headers of a site are worth: published to the broker by the records' process, read by label workers."""
