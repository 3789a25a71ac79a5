"""Derived files of trained models: maps, distances, views and relearning."""
