"""A simulated carrier for the demo and the tests: a process of its own, everything in memory.

It shares nothing with the rest: what it knows of Yipan is an address and a secret.
"""
