"""Coral's wire contracts."""
