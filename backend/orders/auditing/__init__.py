"""Auditing orders by rules before nodes begin with them (审单)."""
