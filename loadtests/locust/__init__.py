"""Load: people, dealers, stores and platforms at work, played with Locust against a real Yipan.

`run` starts the servers, lets Locust play in a process of its own and judges what came out. Only
the `*_user` modules, `front_end` and `locustfile` import Locust, which patches the whole process.
"""
