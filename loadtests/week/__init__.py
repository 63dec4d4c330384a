"""A week of the demo's brand, by seed: ten thousand orders and everybody who has to do with them.

Time does not pass by itself here. The servers and processes of the week have a clock of their own
(`clock`), which is set from one round to the next; in between everybody does what there is to do,
always in the same order. So a seed tells the whole week, and tells it again.
"""
