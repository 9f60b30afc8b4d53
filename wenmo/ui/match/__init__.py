"""The page that matches two lists, and finds the near-duplicates and groups of one."""
