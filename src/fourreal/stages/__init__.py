"""Wiring: load, call, save. No mathematics here."""
