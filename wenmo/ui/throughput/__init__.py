"""The page for throughput."""
