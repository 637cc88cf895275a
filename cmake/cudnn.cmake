# PCC_CUDNN_INCLUDE: the folder of cudnn.h, of $CUDNN_PATH or of the CUDA toolkit. With it and the toolkit's headers pcc
# can have cuDNN make plans (--libraries cudnn), and tests have the stand-in for it; without it all else is the same.
find_path(PCC_CUDA_INCLUDE cuda_runtime.h HINTS ${CUDAToolkit_ROOT} $ENV{CUDA_HOME} $ENV{CUDA_PATH} /usr/local/cuda
  PATH_SUFFIXES include)
find_path(PCC_CUDNN_INCLUDE cudnn.h HINTS ${CUDNN_ROOT} $ENV{CUDNN_PATH} ${PCC_CUDA_INCLUDE} PATH_SUFFIXES include)
if(PCC_CUDNN_INCLUDE AND PCC_CUDA_INCLUDE)
  file(STRINGS ${PCC_CUDNN_INCLUDE}/cudnn_version.h version REGEX "define CUDNN_M(AJOR|INOR) [0-9]+")
  list(TRANSFORM version REPLACE "[^0-9]+" "")
  list(JOIN version "." PCC_CUDNN_VERSION)
endif()
if(PCC_CUDNN_VERSION VERSION_GREATER_EQUAL 9.8)
  set(PCC_CUDNN TRUE)
else()
  set(PCC_CUDNN FALSE)
  message(STATUS "pcc --libraries cudnn is left out: there is no cudnn.h of 9.8 or newer in \$CUDNN_PATH/include or the "
    "toolkit's")
endif()
