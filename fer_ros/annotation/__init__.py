# SPDX-License-Identifier: Apache-2.0
"""Annotate images, videos and rosbag2 recordings without ROS: tables, drawn copies, plots."""
