"""The pipeline on simulated servers and a simulated clock, with a failure at every boundary.

What runs is the product itself: `backend.runtime.Runtime` with everything in it. Only PostgreSQL,
Valkey and the event loop's clock are exchanged for simulations that one seed drives.
"""
