"""A month of a brand that sells through dealers, by seed: what they agree on, order, owe and pay.

Time does not pass by itself here, as in `loadtests.week`: a clock of its own is set from one round
to the next, and in between everybody does what there is to do, always in the same order.
"""
