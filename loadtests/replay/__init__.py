"""Months of real orders through the pipeline, and what became of every line of them."""
