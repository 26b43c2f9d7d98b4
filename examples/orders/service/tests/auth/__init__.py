"""Tests of accounts, sessions and access tokens."""
