"""Loops with as many rounds as a size says (``for t in range(x.shape[1])``): one round stands for all that are alike.

``iterables`` gives a loop its rounds, ``rounds`` runs one for many, ``variables`` and ``holding`` tell what it leaves
changed, ``source`` what the code says of that, and ``repeated`` is what a loop has collected.
"""
