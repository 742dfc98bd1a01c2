"""From the paths on a command line to models in memory.

    "src/nets"  --paths-->  files  --discover-->  targets  --importing-->  module  --building-->  model

``paths``, ``directives``, ``symbols`` and ``discover`` read text and syntax trees alone; ``importing`` runs
the user's file, and ``building`` is the first that needs torch. A file without a model costs no import.
"""
