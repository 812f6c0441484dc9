"""Evaluation of classifiers: metrics, calibration, confusion, Grad-CAM."""
