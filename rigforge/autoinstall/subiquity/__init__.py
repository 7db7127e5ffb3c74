"""Canonical's installer (subiquity): which autoinstall documents it accepts, and which of them people regret."""
