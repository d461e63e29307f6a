# SPDX-License-Identifier: Apache-2.0
# The nodes on a robot, built by colcon on the official image of a ROS 2 distribution:
#
#     docker build -f docker/robot.Dockerfile --build-arg ROS_DISTRO=jazzy -t fer_ros:jazzy .
#     docker run --rm --net=host --ipc=host fer_ros:jazzy ros2 launch fer_ros emotion.launch.py image:=/camera/image_raw
#
# docs/how-to/containers.md says more. `--target develop` is the image of the dev container.
ARG ROS_DISTRO=jazzy

FROM ros:${ROS_DISTRO}-ros-base AS dependencies
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /ws
COPY package.xml src/fer_ros/package.xml
# Versions are those of the distribution, so that a rebuild brings its security updates.
# hadolint ignore=DL3008
RUN apt-get update \
  && rosdep update --rosdistro "$ROS_DISTRO" \
  && rosdep install --from-paths src --ignore-src --rosdistro "$ROS_DISTRO" -y \
  && apt-get install -y --no-install-recommends opencv-data \
  && rm -rf /var/lib/apt/lists/* ~/.ros

FROM dependencies AS develop
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends cmake g++ git make python3-dev python3-venv \
  && rm -rf /var/lib/apt/lists/* \
  && printf '. /opt/ros/%s/setup.bash\n' "$ROS_DISTRO" >> /etc/bash.bashrc

FROM dependencies AS build
COPY . src/fer_ros
RUN . "/opt/ros/$ROS_DISTRO/setup.bash" \
  && colcon build --packages-select fer_ros --merge-install --install-base /opt/fer_ros --cmake-args -DBUILD_TESTING=OFF

FROM dependencies AS robot
COPY --from=build /opt/fer_ros /opt/fer_ros
COPY --chmod=755 docker/entrypoint.sh /usr/local/bin/fer_ros_entrypoint
# The user ID of the first user of a Debian or Ubuntu machine. Fast DDS passes images through shared memory only between
# processes of one user: give the container the user of the camera driver, with `docker run --user`.
ENV HOME=/tmp ROS_HOME=/tmp/ros
USER 1000:1000
WORKDIR /tmp
ENTRYPOINT ["fer_ros_entrypoint"]
CMD ["ros2", "launch", "fer_ros", "emotion.launch.py"]
