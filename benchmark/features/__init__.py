"""Features of trained models: maps, distances and views."""
