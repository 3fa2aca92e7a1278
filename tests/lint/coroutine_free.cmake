cmake_minimum_required(VERSION 3.25)
# g++ 12 miscompiles several legal co_await shapes; the server uses completion handlers instead, which
# are also faster here. Nothing else needs coroutines.
file(GLOB_RECURSE files "${ROOT}/relay/*.cpp" "${ROOT}/relay/*.h" "${ROOT}/buffer/*.cpp" "${ROOT}/upstream/*.cpp" "${ROOT}/api/*.cpp")
foreach(file IN LISTS files)
  file(STRINGS "${file}" lines REGEX "co_(await|return|yield)")
  if(lines)
    message(SEND_ERROR "${file} uses coroutines")
  endif()
endforeach()
