"""Validation and estimation of measured series (VEE): rules, thresholds, marks, estimates."""
