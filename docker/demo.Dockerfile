# SPDX-License-Identifier: Apache-2.0
# The README's two commands on a plain Python image, with ROS 2 from Python wheels:
#
#     docker build -f docker/demo.Dockerfile -t fer_ros:demo .
#     docker run --name fer_demo --shm-size=512m fer_ros:demo && docker cp fer_demo:/home/fer/fer_ros/out .
#     docker run --rm --shm-size=512m fer_ros:demo make test
#
# docs/how-to/containers.md says more.
FROM python:3.12-slim-bookworm
# Versions are those of the distribution, so that a rebuild brings its security updates. The libraries are OpenCV's.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends cmake g++ libgl1 libglib2.0-0 make \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --create-home --uid 1000 fer
USER 1000
WORKDIR /home/fer/fer_ros
COPY --chown=fer . .
# With the index of PyTorch's build without CUDA the image is several gigabytes smaller.
ARG PIP_EXTRA_INDEX_URL=
# As variables, so that `make demo` and `make test` find everything set up.
ENV LOCKED=1 PIP_NO_CACHE_DIR=1
RUN make setup
CMD ["make", "demo"]
