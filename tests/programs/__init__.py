"""Whole programs as a user of HIPS/autograd writes them, each against a witness of its own."""
