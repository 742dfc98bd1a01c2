"""Shape rules: what every operation that sizes flow through does to them, one family a file."""
