"""Copies of a model on several devices, which train and compute as one model does on one."""
