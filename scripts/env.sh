# Source this after `make setup`, in sh, bash or zsh: Python, rclpy and the built package, in any folder.
#
#     . scripts/env.sh              bash and zsh find this file wherever they stand; other shells cannot tell where a
#                                   sourced file lies: there, stand in the checkout's root or put it in FER_ROS_ROOT
#     export WHEELS=jazzy           before sourcing, for what `make setup WHEELS=jazzy` has made
#
# Sourcing again, also after a change of WHEELS or from another checkout, replaces what the last one set.

_fer_ros_enter() {
  [ -z "${ZSH_VERSION-}" ] || emulate -L sh

  _root=$1
  if [ ! -x "$_root/scripts/workspace" ]; then
    echo "fer_ros: not found from here: source scripts/env.sh in the checkout's root, or set FER_ROS_ROOT to it" >&2
    return 1
  fi
  _name=$("$_root/scripts/workspace")
  _workspace=$_root/.ros/$_name
  if [ ! -f "$_workspace/built" ]; then
    case $_name in *-installed) _wheels= ;; *) _wheels=" WHEELS=$_name" ;; esac
    echo "fer_ros: nothing is set up in $_workspace: run 'make setup$_wheels' in $_root first" >&2
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
      # The wheels find their libraries when an interpreter starts, once for it and its children. Inherited from
      # another environment this mark would keep them from it.
      unset _ROS_WHEELS_BOOTSTRAP_COMPLETE
      ;;
  esac
  export VIRTUAL_ENV="$_workspace/env"
  PATH=$VIRTUAL_ENV/bin:$PATH
  AMENT_PREFIX_PATH=$_workspace/install/fer_ros${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}
  LD_LIBRARY_PATH=$_workspace/install/fer_ros/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  # Debian's own Python, which an installed ROS uses, has the second layout.
  for _packages in "$_workspace"/install/fer_ros/lib/python3*/site-packages \
    "$_workspace"/install/fer_ros/local/lib/python3*/dist-packages; do
    [ ! -d "$_packages" ] || PYTHONPATH=$_packages${PYTHONPATH:+:$PYTHONPATH}
  done

  # Nodes on other machines neither see nor disturb these, unless the user says so.
  export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"

  # Fast DDS, the default middleware, and Cyclone DDS lose whole images without this. What another environment has set
  # goes first.
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
