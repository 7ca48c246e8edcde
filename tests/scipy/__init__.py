"""Tests of adjoint.scipy."""
