# SPDX-License-Identifier: Apache-2.0
"""A web page that shows live what the emotion node and the trainer node publish."""
