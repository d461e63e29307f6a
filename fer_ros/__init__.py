"""Facial expression recognition for robots: a library without ROS, and ROS 2 nodes around it in ``fer_ros.nodes``."""

import pkgutil

# The messages (fer_ros.msg and so on) are generated into an installed package of this same name. Searching the whole
# path for further parts of it lets them be imported from the checkout too, where this folder shadows that one.
__path__ = pkgutil.extend_path(__path__, __name__)
