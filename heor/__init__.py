"""Partitioned-survival cost-effectiveness models from plain tables."""
