# SPDX-License-Identifier: Apache-2.0
# Source this after `make setup`, in sh, bash or zsh: sets up Python, rclpy, the built package, its commands (fer-train,
# fer-demo, ...) and its nodes for this shell.
#
#     . scripts/env.sh              from any folder in bash and zsh; other shells cannot locate a sourced file: there,
#                                   source it in the checkout's root, or set FER_ROS_ROOT to that folder
#     export WHEELS=jazzy           before sourcing, for the workspace of `make setup WHEELS=jazzy`
#
# Sourcing it again, also with another WHEELS or from another checkout, replaces what was set before.

_fer_ros_enter() {
  [ -z "${ZSH_VERSION-}" ] || emulate -L sh

  _root=$1
  if [ ! -x "$_root/scripts/workspace" ]; then
    echo "fer_ros: checkout not found: source scripts/env.sh in its root, or set FER_ROS_ROOT to its path" >&2
    return 1
  fi
  _name=$("$_root/scripts/workspace")
  _workspace=$_root/.ros/$_name
  if [ ! -f "$_workspace/built" ]; then
    case $_name in *-installed) _wheels= ;; *) _wheels=" WHEELS=$_name" ;; esac
    echo "fer_ros: no workspace in $_workspace: run 'make setup$_wheels' in $_root first" >&2
    return 1
  fi

  for _variable in PATH LD_LIBRARY_PATH PYTHONPATH AMENT_PREFIX_PATH; do
    eval "_value=\${$_variable-}"
    _value=$(printf '%s\n' "$_value" | tr : '\n' | grep -vE '/\.ros/[^/]+/(env|install)(/|$)' | paste -s -d : -)
    eval "export $_variable=\$_value"
  done
  case $_name in
    *-installed) ;;
    *)
      export ROS_DISTRO="$_name"
      AMENT_PREFIX_PATH=$_workspace/env${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}
      # The wheels set up their library path when an interpreter starts, once for it and its children, and set this
      # variable. Inherited from another environment it would make them skip that.
      unset _ROS_WHEELS_BOOTSTRAP_COMPLETE
      ;;
  esac
  export VIRTUAL_ENV="$_workspace/env"
  PATH=$_workspace/install/fer_ros/lib/fer_ros:$VIRTUAL_ENV/bin:$PATH
  AMENT_PREFIX_PATH=$_workspace/install/fer_ros${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}
  LD_LIBRARY_PATH=$_workspace/install/fer_ros/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  # The second layout is that of Debian's Python, which an installed ROS uses.
  for _packages in "$_workspace"/install/fer_ros/lib/python3*/site-packages \
    "$_workspace"/install/fer_ros/local/lib/python3*/dist-packages; do
    [ ! -d "$_packages" ] || PYTHONPATH=$_packages${PYTHONPATH:+:$PYTHONPATH}
  done

  # Keep the nodes invisible to other machines, unless the user has chosen otherwise.
  export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"

  # Without a profile Fast DDS, the default middleware, and Cyclone DDS lose whole images. Profiles of another checkout
  # are replaced, the user's own are kept.
  case ${FASTDDS_DEFAULT_PROFILES_FILE-} in */config/fastdds*.xml) unset FASTDDS_DEFAULT_PROFILES_FILE ;; esac
  case ${FASTRTPS_DEFAULT_PROFILES_FILE-} in */config/fastdds*.xml) unset FASTRTPS_DEFAULT_PROFILES_FILE ;; esac
  case ${CYCLONEDDS_URI-} in file://*/config/cyclonedds.xml) unset CYCLONEDDS_URI ;; esac
  eval "$(python -m fer_ros.dds_profile)"
}

if [ -n "${BASH_VERSION-}" ]; then
  _fer_ros_enter "$(cd "$(dirname "$BASH_SOURCE")/.." && pwd)"
elif [ -n "${ZSH_VERSION-}" ]; then
  eval '_fer_ros_enter "${${(%):-%x}:A:h:h}"'
else
  _fer_ros_enter "${FER_ROS_ROOT:-$PWD}"
fi
