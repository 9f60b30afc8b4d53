"""The page for memory: live graphs and the lab."""
