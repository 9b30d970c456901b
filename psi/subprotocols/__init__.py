"""Dialogues that protocols are made of."""
