"""The page of stakeholder mode."""
