"""What memory is used, would be used, and was saved."""
