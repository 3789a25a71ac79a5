"""What every method promises, tested on a miniature study."""
