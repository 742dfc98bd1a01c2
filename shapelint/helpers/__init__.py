"""What people need next once they know which sizes run: padding, exporting, receptive fields, plain data."""
