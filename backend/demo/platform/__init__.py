"""A marketplace that is not there: the demo and the tests sell on it, as a process of its own.

It has its own memory of listings, stock and orders, limits calls, and fails on demand. It shares
nothing with Yipan but HTTP, and imports nothing of it. docs/reference/simulated-platform.md
describes what it answers.
"""
