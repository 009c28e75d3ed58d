# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx analyze`: what the gram matrices of style pictures are like, and which of them are alike."""
