"""Many users on one engine: what was answered before, and who is served when."""
