#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command with ROS 2 and fer_ros set up.
set -e
. /opt/fer_ros/setup.bash # sets up /opt/ros too, in which it was built
exec "$@"
