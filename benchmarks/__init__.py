"""How long the analysis takes, against what else there is."""
