"""What else tells the region and the view of a radiograph: what its header claims."""
