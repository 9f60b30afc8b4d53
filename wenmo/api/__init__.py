"""REST schemas and routes."""
