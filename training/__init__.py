# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of StyleTX's methods: one flat script per method over shared losses, data and motion."""
