"""What is made from trained models: maps, distances, views and relearning."""
